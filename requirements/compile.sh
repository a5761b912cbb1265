#!/bin/sh
# Pins requirements/*.in into *.txt for every platform and Python from 3.11 on. Usage: requirements/compile.sh [--upgrade]
# No index address is written. The CUDA packages are left to torch's own metadata, which pins them: with them in
# the file a CPU build of torch would still pull gigabytes of CUDA.
set -eu
cd "$(dirname "$0")"
UV=${UV:-../.venv/bin/uv}
set -- --quiet --universal --python-version 3.11 --no-annotate --no-header --strip-extras "$@"
cuda=""
for name in nvidia-cublas nvidia-cuda-cccl nvidia-cuda-cupti nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 \
    nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 \
    nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx cuda-bindings cuda-pathfinder cuda-toolkit triton; do
    cuda="$cuda --no-emit-package=$name"
done
"$UV" pip compile "$@" api.in -o api.txt
# shellcheck disable=SC2086  # a list of options, to be split
"$UV" pip compile "$@" $cuda gpu.in -o gpu.txt
"$UV" pip compile "$@" embedded.in -o embedded.txt
"$UV" pip compile "$@" test.in -o test.txt
"$UV" pip compile "$@" test-light.in -o test-light.txt
