# cmake -Dsource=DIR -Dheader=FILE -P commit.cmake: writes the header where it would differ, so that only another commit compiles anew.
execute_process(COMMAND git -C ${source} rev-parse --short=12 HEAD OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                RESULT_VARIABLE failed)
if(failed)
  set(commit unknown)
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/commit.h.in ${header})
