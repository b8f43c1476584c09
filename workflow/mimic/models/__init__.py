"""Models: a GGUF or a hub revision becomes a safetensors folder."""
