#!/bin/sh
# The effect's experiment on one GPU within a quarter of an hour: train, predict, judge, pack.
#
#     sh docs/results/effect/on_gpu.sh FOLDER OUT [DEVICE] [LEARNING] [SEEDS]
#
# FOLDER is what make_trial.py made, or its archive (FOLDER.tar): only what was made is needed, no
# network. OUT gets tables, pictures, the models' cards and their logs in results.tar.gz. A training
# that runs out of time goes on from its last checkpoint when the same command is run again.
# To try it without a GPU: DEVICE cpu and a LEARNING of a few epochs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 out=$2 device=${3:-cuda} learning=${4:-$here/learning_gpu.toml} seeds=${5:-1,2}
mkdir -p "$out"
[ -d "$folder" ] || { mkdir -p "$folder" && tar -xf "$folder.tar" -C "$folder"; }
date
python "$here/train_models.py" "$folder" --setting A --setting B --seeds "$seeds" \
    --learning "$learning" --device "$device" -j 2
date
python "$here/judge.py" "$folder" "$out" --device "$device" -j "$(nproc)"
python "$here/learning.py" "$folder" "$out" --device "$device"
date
find "$folder" -path '*/models/*' \( -name '*.json' -o -name 'progress.png' -o -name 'curves.png' \
    -o -name 'training_log*.txt' \) -print0 | tar -czhf "$out/results.tar.gz" --null -T -
ls -l "$out"
