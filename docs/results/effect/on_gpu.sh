#!/bin/sh
# The effect's experiment on one GPU, meant to take a quarter of an hour: train, predict, judge, pack.
#
#     sh docs/results/effect/on_gpu.sh FOLDER OUT [DEVICE] [LEARNING] [SEEDS]
#
# FOLDER is what make_trial.py made, or FOLDER.tar its archive (tar -cf FOLDER.tar -C FOLDER .): only
# what was made is needed, no network. OUT gets tables and pictures, and, in results.tar.gz, the
# models' cards and their logs. A training that runs out of time goes on from its last checkpoint when
# the same command is run again; with another LEARNING it stops.
# To try it without a GPU: DEVICE cpu and a LEARNING of a few epochs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
usage="sh on_gpu.sh FOLDER OUT [DEVICE] [LEARNING] [SEEDS]"
folder=${1:?"$usage"} out=${2:?"$usage"}
device=${3:-cuda} learning=${4:-$here/learning_gpu.toml} seeds=${5:-1,2}
mkdir -p "$out"
if [ ! -d "$folder" ]; then  # unpacked under another name: what was cut off is not taken for it
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    tar -xf "$folder.tar" -C "$folder.part"
    mv "$folder.part" "$folder"
fi
date
python "$here/train_models.py" "$folder" --setting A --setting B --seeds "$seeds" \
    --learning "$learning" --device "$device" -j 2
date
python "$here/judge.py" "$folder" "$out" --device "$device" -j "$(nproc)"
python "$here/learning.py" "$folder" "$out" --seed "${seeds%%,*}" --device "$device"
date
find "$folder" -path '*/models/*' \( -name '*.json' -o -name 'progress.png' -o -name 'curves.png' \
    -o -name 'training_log*.txt' \) -print0 > "$out/packed"
[ -s "$out/packed" ] || { echo "no card of a model below $folder" >&2; exit 1; }
tar -czhf "$out/results.tar.gz" --null -T "$out/packed"
rm "$out/packed"
ls -l "$out"
