"""What answers: torch, transformers, peft, safetensors and numpy alone."""
