#!/usr/bin/env bash
# Trains the embedded family and installs it: training/run.sh laptop|gpu|further|smoke [options]
#
#   laptop   from nothing, on two cores, in about a day
#   gpu      from nothing, on one CUDA card
#   further  goes on from the weights that ship: the honest way to improve them
#   smoke    every step with tiny numbers on generated material, in about a minute; nothing is installed
#
# Options go to every step: --work FOLDER (default training/work/VARIANT), --recordings FOLDER, --device cpu|cuda.
# Paths are relative to the repository.
# It can be stopped and started again at any time: what is done is skipped, networks go on from checkpoints.
# PYTHON names the interpreter (default: .venv/bin/python, else python3). docs/training.md says the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

variant=${1:-}
case $variant in
    laptop | gpu | further | smoke) shift ;;
    *) sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "$0" >&2; exit 2 ;;
esac
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
options=(--preset "$variant" "$@")
# The allocator gives memory back to the system and asks again at every step otherwise: a quarter of the time.
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=4000000000

train() { "$python" -m training.train "$@" "${options[@]}"; }

if [ "$variant" = further ]; then
    options+=(--init-from src/eidophone/models/tiny)
    train requirements pictures tagger sounds   # what the networks learn from
    train import-weights self-training canvases # the earlier family's text encoder and codec, its best sounds
    train image audio export                    # both U-Nets go on; all other parts stay as they are
else
    train requirements                             # programs and recordings
    train pictures drawings tagger sounds canvases # what the networks learn from
    train text codec image audio                   # the pair that compose uses
    train pixel upscaler export                    # the coloured pair; the family in diffusers' layout
    train synonyms nouns captioner embedder judge  # what reads, listens and compares
fi
train check # refuses a family whose parts do not fit

if [ "$variant" = smoke ]; then
    echo "smoke: every stage ran; nothing is installed"
else
    "$python" -m training.install "${options[@]}" # copies the family into the package
fi
