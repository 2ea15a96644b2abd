#!/bin/sh
# quality.sh: ranking quality of every algorithm on public splits, beside the
# published figures.
#
#   DATASETS=FOLDER test/bench/quality.sh [FILTER]
#
# DATASETS holds one folder a data set (default ../shared/data); those that are
# missing are skipped.  FILTER is a pattern for "data set algorithm".  Builds the
# core and quality.c below $BUILD (default build); needs a C compiler and gzip.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
data=${DATASETS:-$root/../shared/data}
build=${BUILD:-$root/build}
filter=${1:-}
threads=${THREADS:-2}
whole=no
features=no
ordered=no
validate=no
next=no

if [ ! -d "$data" ]; then
	echo "skipped: no data folder $data: set DATASETS to the folder of the data sets" >&2
	exit 0
fi
mkdir -p "$build"
${CC:-cc} -std=gnu11 -O3 -fno-math-errno -ffp-contract=fast -I"$root/src" -I"$root/test/bench" \
	"$root"/test/bench/quality*.c $(find "$root/src/core" -name "*.c") \
	${EXTRA_SOURCES:-} -lm -ldl -lpthread -o "$build/quality"

# one line of the table: data set, algorithm, options, weights
run()
{
	set_name=$1
	algorithm=$2
	shift 2
	case "$set_name $algorithm" in *"$filter"*) ;; *) return 0 ;; esac
	if [ ! -d "$data/$set_name" ]; then
		echo "$set_name: not in $data, skipped"
		return 0
	fi
	"$build/quality" -t "$threads" ${weights:+-w "$weights"} -h "$whole" -f "$features" -o "$ordered" -v "$validate" -r "$next" \
		"$data/$set_name" "$algorithm" "$@" ||
		echo "$set_name $algorithm: failed"
}

published()
{
	case "$1" in *"$filter"*) echo "$1             $2" ;; esac
}

# ml-1m-ncf: leave one out, target among 99 negatives
published "ml-1m-ncf published" "ItemKNN cosine .6694/.3979, iALS .7109/.4382, NeuMF .7093/.4349, EASE .7192/.4494 (HR@10/NDCG@10, Dacrema et al. 2019)"
run ml-1m-ncf popularity
run ml-1m-ncf item_knn
run ml-1m-ncf item_knn source_exponent=0.5 target_exponent=0.5 neighbors=50
run ml-1m-ncf ease
for k in 50 100 200 400; do
	run ml-1m-ncf ease dense_items=0 neighbors=$k
done
run ml-1m-ncf als
run ml-1m-ncf als factors=128
run ml-1m-ncf als factors=128 regularization=0.01

# the network: age, gender and occupation alone, history alone, both
features=yes
run ml-1m-ncf mlp epochs=4
run ml-1m-ncf mlp epochs=4 samples=512
features=no
run ml-1m-ncf mlp epochs=8 history=64 learning_rate=0.002 batch_size=512 samples=512
run ml-1m-ncf mlp epochs=8 history=64 learning_rate=0.005 batch_size=512 samples=512 hidden=
features=yes
run ml-1m-ncf mlp epochs=8 history=64 learning_rate=0.002 batch_size=512 samples=512
# no hidden layer: the options were chosen on an event of each user's training,
# then history alone and both; the two ways of the softmax after as many epochs
features=no
validate=yes
run ml-1m-ncf mlp epochs=4 history=64 learning_rate=0.005 batch_size=512 samples=512 hidden=
run ml-1m-ncf mlp epochs=4 history=128 learning_rate=0.005 batch_size=512 samples=512 hidden=
validate=no
run ml-1m-ncf mlp epochs=4 history=128 learning_rate=0.005 batch_size=512 samples=512 hidden=
features=yes
run ml-1m-ncf mlp epochs=4 history=128 learning_rate=0.005 batch_size=512 samples=512 hidden=
features=no
run ml-1m-ncf mlp epochs=2 history=64 learning_rate=0.005 batch_size=512 hidden=
run ml-1m-ncf mlp epochs=2 history=64 learning_rate=0.005 batch_size=512 samples=512 hidden=

# gowalla-lightgcn: all items but those of the training
published "gowalla-lightgcn published" "ItemCF .1570/.1214, LightGCN .1820/.1547, UltraGCN .1862/.1580, SimpleX .1872/.1557 (recall@20/NDCG@20, BARS)"
run gowalla-lightgcn popularity
run gowalla-lightgcn item_knn
run gowalla-lightgcn item_knn neighbors_of=source source_exponent=0.7 target_exponent=0.2
run gowalla-lightgcn item_knn neighbors_of=source source_exponent=0.7 target_exponent=0.2 neighbors=0
run gowalla-lightgcn als
run gowalla-lightgcn als unobserved_weight=0.01

# s3rec-beauty: last item, all items
published "s3rec-beauty published" "PopRec .0152/.0068, SASRec .0605/.0318, S3-Rec .0647/.0327 (HR@10/NDCG@10, S3-Rec)"
run s3rec-beauty popularity
run s3rec-beauty item_knn
run s3rec-beauty sequence
run s3rec-beauty sequence query_decay=2 backward=0.25
whole=yes # the validation item in the fit too
run s3rec-beauty sequence
run s3rec-beauty sequence query_decay=2 backward=0.25
whole=no
run s3rec-beauty als

# splits of our own, for choosing defaults: nothing published
for name in ml-100k online-retail-ii-2009 lastfm-2k retailrocket-small; do
	for algorithm in popularity item_knn ease als; do
		run $name $algorithm
	done
	case $name in ml-100k | online-retail*) run $name sequence ;; esac
	if [ $name = ml-100k ]; then
		features=yes
		run $name mlp
		run $name mlp hidden= history=64 learning_rate=0.005
		features=no
		run $name mlp hidden= history=64 learning_rate=0.005
		ordered=yes # the history of an event is what was before it
		run $name mlp hidden= history=64 learning_rate=0.005
		features=yes
		run $name mlp hidden= history=64 learning_rate=0.005
		features=no
		ordered=no
	fi
done

# the next event of each user, which often is a repeat
next=yes
run online-retail-ii-2009 popularity
run online-retail-ii-2009 sequence
run online-retail-ii-2009 sequence repeats=true
run online-retail-ii-2009 sequence query_decay=10
run online-retail-ii-2009 sequence query_decay=10 repeats=true
run online-retail-ii-2009 sequence query_decay=30
run online-retail-ii-2009 sequence query_decay=30 repeats=true
run online-retail-ii-2009 sequence query_decay=100
run online-retail-ii-2009 sequence query_decay=100 repeats=true
next=no
