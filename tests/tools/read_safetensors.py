"""read_safetensors.py IN OUT: prints what the safetensors package sees in IN, and lets it write the same to OUT.
Exits with 77 if the package is not installed (pip install safetensors)."""
import ctypes
import sys

try:
    import safetensors
except ImportError:
    print("the Python package safetensors is not installed")
    sys.exit(77)

with open(sys.argv[1], "rb") as f:
    tensors = dict(safetensors.deserialize(f.read()))
for name in sorted(tensors):
    t = tensors[name]
    print(name, t["dtype"], list(t["shape"]), bytes(t["data"]).hex())
names = {"F64": "float64", "F32": "float32", "I32": "int32", "BF16": "bfloat16", "U8": "uint8"}
again, buffers = {}, []
for name, t in reversed(tensors.items()):
    data = bytes(t["data"])
    if hasattr(safetensors, "TensorSpec"):  # 0.8 and later take addresses
        buffers.append(ctypes.create_string_buffer(data, max(len(data), 1)))
        again[name] = safetensors.TensorSpec(dtype=names[t["dtype"]], shape=t["shape"],
                                             data_ptr=ctypes.addressof(buffers[-1]), data_len=len(data))
    else:
        again[name] = {"dtype": names[t["dtype"]], "shape": t["shape"], "data": data}
with open(sys.argv[2], "wb") as f:
    f.write(safetensors.serialize(again, {"format": "pt"}))
