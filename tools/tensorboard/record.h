// The framing of event files: length, CRC of the length, bytes, CRC of the bytes. Whoever reads a file whose
// last record was cut off sees where it ends.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace eb::tools::tensorboard {

uint32_t crc32c(std::string_view bytes);  // Castagnoli polynomial
// Rotated and shifted, so that a CRC over bytes that contain CRCs is no weaker.
uint32_t masked_crc32c(std::string_view bytes);
std::string record(std::string_view bytes);

}  // namespace eb::tools::tensorboard
