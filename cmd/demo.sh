#!/bin/bash
# Shows what Skerry is for, on this machine: eight peers, a real file put among them, four of its
# holders killed without warning, the file read back whole; a fifth killed, and the honest refusal.
# Fails if any step does not go as told. Leaves nothing behind.
#
# Environment: SKERRY (the program), DEMO_MIB (size of the file, at least this, default 256),
# TMPDIR (where the network lives; default: the first place with room).
set -euo pipefail
export LC_ALL=C
unset AWS_CA_BUNDLE AWS_PROFILE AWS_CONFIG_FILE # of another cloud

SKERRY=${SKERRY:-skerry}
MIB=${DEMO_MIB:-256}
PEERS=8
K=4                       # any 4 of the 8 pieces rebuild the file
EXIT_UNREACHABLE=4        # `skerry get`: fewer than k holders answer
STARTUP_SECONDS_MAX=60
STEP_SECONDS_MAX=600

work= net=
testnet=
pids=()

say() { printf '%s\n' "$*"; }
fail() {
	printf 'demo: %s\n' "$*" >&2
	[ -z "$work" ] || [ ! -s "$work/testnet.log" ] || tail -n 20 "$work/testnet.log" >&2
	exit 1
}

# Whether a process is still one of our peers: a number may have gone to somebody else, and one that
# only waits for its parent to take note has ended.
is_ours() {
	awk -v name="$(basename "$SKERRY")" '
	/^Name:/ { mine = $2 == name }
	/^State:/ { ended = $2 == "Z" || $2 == "X" }
	END { exit !(mine && !ended) }' "/proc/$1/status" 2> /dev/null
}

# Waits until the processes given are gone, at most $1 seconds.
wait_gone() {
	local deadline=$((SECONDS + $1)) pid
	shift
	for pid in "$@"; do
		while is_ours "$pid"; do
			[ $SECONDS -lt $deadline ] || return 1
			sleep 0.1
		done
	done
}

network_stop() {
	local pid
	[ -n "$testnet" ] || return 0
	kill -TERM "$testnet" 2> /dev/null || true
	if ! wait_gone 30 "$testnet" "${pids[@]}"; then
		for pid in "$testnet" "${pids[@]}"; do
			! is_ours "$pid" || kill -KILL "$pid" 2> /dev/null || true
		done
		testnet=
		return 1
	fi
	wait "$testnet" 2> /dev/null || true
	testnet=
}

cleanup() {
	local status=$?
	trap - EXIT
	network_stop || true
	[ -z "$work" ] || rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# step TEXT: starts a step; done_step ends it with its time.
step() {
	printf '%-68s' "$1"
	step_began=$EPOCHREALTIME
}
done_step() {
	awk -v a="$step_began" -v b="$EPOCHREALTIME" -v note="${1:-}" \
	    'BEGIN { printf "%6.1f s%s\n", b - a, note == "" ? "" : "  " note }'
}

# The first place with room for the file, its pieces (twice its size, in files of 256 MiB that
# each peer prepares) and the copy read back.
place_choose() {
	local need_kib=$(((MIB * 4 + PEERS * 256) * 1024)) dir free_kib
	for dir in "${TMPDIR:-}" /var/tmp /tmp "$PWD"; do
		[ -n "$dir" ] && [ -w "$dir" ] || continue
		free_kib=$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')
		if [ "${free_kib:-0}" -gt $need_kib ]; then
			printf '%s\n' "$dir"
			return 0
		fi
	done
	fail "no place with $((need_kib / 1024)) MiB free: set TMPDIR to one, or DEMO_MIB lower"
}

# A file of real data: this machine's own programs and libraries, as often as it takes.
file_make() {
	local bytes=$((MIB * 1024 * 1024)) have=0
	: > "$work/file"
	while [ $have -lt $bytes ]; do
		# tar ends by a closed pipe when the file is large enough: its status says nothing.
		{ tar -C / -cf - usr/bin usr/lib 2> /dev/null || true; } |
		    head -c $((bytes - have)) >> "$work/file"
		[ "$(stat -c %s "$work/file")" -gt $have ] || fail "cannot read /usr/bin and /usr/lib"
		have=$(stat -c %s "$work/file")
	done
}

network_start() {
	local deadline=$((SECONDS + STARTUP_SECONDS_MAX))
	"$SKERRY" testnet --peers $PEERS --code 4/6/8 --dir "$net" --s3 0 --json \
	    > "$work/testnet.json" 2> "$work/testnet.log" < /dev/null &
	testnet=$!
	until grep -q '"peers"' "$work/testnet.json"; do
		kill -0 "$testnet" 2> /dev/null || fail "the test network ended by itself"
		[ $SECONDS -lt $deadline ] || fail "no network after $STARTUP_SECONDS_MAX s"
		sleep 0.1
	done
	# {"dir":…,"bootstrap":[…],"peers":[{"pid":1,"id":"…",…},…]}: a line for each object.
	mapfile -t pids < <(tr '{' '\n' < "$work/testnet.json" |
	    sed -n 's/.*"pid" *: *\([0-9][0-9]*\).*/\1/p')
	[ ${#pids[@]} -eq $PEERS ] || fail "expected $PEERS peers, found ${#pids[@]}"
}

# Kills the peers with the given positions, as a power cut would.
peers_kill() {
	local i victims=()
	for i in "$@"; do
		is_ours "${pids[$i]}" || fail "peer $i (process ${pids[$i]}) is not running"
		victims+=("${pids[$i]}")
	done
	kill -KILL "${victims[@]}"
	wait_gone 10 "${victims[@]}" || fail "a killed peer still runs"
}

[ -x "$SKERRY" ] || command -v "$SKERRY" > /dev/null || fail "no program $SKERRY: ./bootstrap build"
place=$(place_choose)
work=$(mktemp -d "$place/skerry-demo.XXXXXX")
net=$work/net

say "Skerry, on this machine only (127.0.0.1). Files live in $work and go with it."
say ""

step "Start a network of $PEERS peers, each a process of its own"
network_start
done_step

step "Make a file of $MIB MiB out of this machine's programs"
file_make
done_step

step "Encrypt it, cut it into 8 pieces for each part, give one to each"
timeout $STEP_SECONDS_MAX "$SKERRY" put "$work/file" --dir "$net" \
    > "$work/link" 2> "$work/put.log" || { cat "$work/put.log" >&2; fail "put failed"; }
link=$(head -n 1 "$work/link")
grep -q 'placed 8 of 8' "$work/put.log" || { cat "$work/put.log" >&2; fail "not all was placed"; }
case $link in
skerry:*) ;;
*) fail "put printed no link" ;;
esac
done_step "placed 8 of 8"
say "  its link, all that is needed to find and read it: ${link:0:24}..."

step "Ask who holds what"
timeout $STEP_SECONDS_MAX "$SKERRY" stat "$link" --dir "$net" > "$work/stat" 2>&1 ||
    { cat "$work/stat" >&2; fail "stat failed"; }
done_step
sed 's/^/  | /' "$work/stat"

# A client that knows nothing of Skerry. Which one is here decides; all three speak plain S3.
s3_field() {
	grep -o "\"$1\":\"[^\"]*\"" "$work/testnet.json" | head -n 1 | cut -d '"' -f 4
}
s3_round_trip() {
	local endpoint access secret
	endpoint=$(s3_field endpoint) access=$(s3_field access_key) secret=$(s3_field secret_key)
	head -c 20000000 "$work/file" > "$work/part"
	if command -v rclone > /dev/null; then
		client=rclone
		local remote=":s3,provider=Other,access_key_id=$access,secret_access_key=$secret,endpoint='$endpoint':demo"
		rclone --config /dev/null -q mkdir "$remote" &&
		    rclone --config /dev/null -q copyto "$work/part" "$remote/a file" &&
		    rclone --config /dev/null -q copyto "$remote/a file" "$work/back"
	elif command -v s3cmd > /dev/null; then
		client=s3cmd
		local host=${endpoint#http://}
		local options=(--access_key="$access" --secret_key="$secret" --host="$host" --host-bucket="$host"
		    --no-ssl --config=/dev/null -q)
		s3cmd "${options[@]}" mb s3://demo && s3cmd "${options[@]}" put "$work/part" "s3://demo/a file" &&
		    s3cmd "${options[@]}" get "s3://demo/a file" "$work/back"
	else
		client=boto3
		python3 - "$endpoint" "$access" "$secret" "$work/part" "$work/back" <<- 'END'
			import sys, boto3
			c = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1",
			                 aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3])
			c.create_bucket(Bucket="demo")
			c.upload_file(sys.argv[4], "demo", "a file")
			c.download_file("demo", "a file", sys.argv[5])
		END
	fi
}
client=
if command -v rclone > /dev/null || command -v s3cmd > /dev/null || python3 -c 'import boto3' 2> /dev/null; then
	step "Store 20 MB in a bucket by a stock S3 client, and read it back"
	s3_round_trip > "$work/s3.log" 2>&1 || { cat "$work/s3.log" >&2; fail "$client failed"; }
	cmp "$work/part" "$work/back" || fail "the copy from the bucket differs"
	rm -f "$work/part" "$work/back"
	done_step "$client"
else
	say "  (no stock S3 client is here: rclone, s3cmd or python3-boto3 would be used)"
fi

step "Kill 4 of the holders (SIGKILL: processes ${pids[*]:0:4})"
peers_kill 0 1 2 3
done_step

step "Read the file back from the $K that are left"
timeout $STEP_SECONDS_MAX "$SKERRY" get "$link" -o "$work/copy" --dir "$net" \
    2> "$work/get.log" || { cat "$work/get.log" >&2; fail "get failed with $K holders alive"; }
done_step

step "Compare it with the original"
cmp "$work/file" "$work/copy" || fail "the copy differs"
done_step "identical"
rm -f "$work/copy"

step "Kill one more (process ${pids[4]}): $((K - 1)) pieces are too few"
peers_kill 4
done_step

step "Try to read it: an honest refusal is expected"
status=0
timeout $STEP_SECONDS_MAX "$SKERRY" get "$link" -o "$work/copy" --dir "$net" \
    2> "$work/get.log" || status=$?
[ $status -eq $EXIT_UNREACHABLE ] ||
    { cat "$work/get.log" >&2; fail "get ended with $status, expected $EXIT_UNREACHABLE"; }
[ ! -e "$work/copy" ] || fail "a refused get left a file behind"
done_step "exit code $status"
sed 's/^/  | /' "$work/get.log"

if [ -t 0 ] && [ -t 1 ]; then
	say ""
	answer=
	read -r -t 60 -p "Leave the network (3 peers) running to look around? [y/N] " answer || say ""
	if [ "$answer" = y ] || [ "$answer" = Y ]; then
		say "It lives in $net. To stop it:  kill $testnet; rm -rf $work"
		disown "$testnet" 2> /dev/null || true
		trap - EXIT
		exit 0
	fi
fi

step "Stop the network"
network_stop || fail "the network did not stop by itself"
done_step

say ""
say "All went as told: 4 of 8 lost, nothing lost; 5 of 8 lost, and it said so."
