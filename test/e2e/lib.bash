# What the end-to-end scripts share: a work directory that goes with the script, a network, cases.
#
# Environment: SKERRY (the program), E2E_SMALL=1 (small files: slow machines, sanitizers), TMPDIR.
# Every wait has a deadline; nothing is waited for by time alone.
set -uo pipefail
export LC_ALL=C
unset SKERRY_DIR

SKERRY=${SKERRY:-$PWD/skerry}
BIG_MIB=48			# several chunks' worth of rows
[ "${E2E_SMALL:-0}" != 1 ] || BIG_MIB=3
START_SECONDS_MAX=60
RUN_SECONDS_MAX=120
ANSWER_SECONDS_MAX=60		# of a gateway: to its start, to a request

passed=0 failed=0 skipped=0
work=
testnet=			# process of the network under way
net_dir=			# its directory
pids=()				# of its peers
declare -A gateways=()		# processes that gateway_start has started, by name

[ -x "$SKERRY" ] || { echo "no program $SKERRY"; echo "0 passed, 1 failed"; exit 1; }

# The first place with room: a network prepares 256 MiB for each peer.
place_choose() {
	local dir
	for dir in "${TMPDIR:-}" /var/tmp /tmp; do
		[ -n "$dir" ] && [ -w "$dir" ] || continue
		[ "$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')" -gt 4194304 ] || continue
		printf '%s\n' "$dir"
		return
	done
	printf '/tmp\n'
}

cleanup() {
	trap - EXIT INT TERM HUP
	gateway_stop || true
	net_stop || true
	[ -z "$work" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work=$(mktemp -d "$(place_choose)/skerry-e2e.XXXXXX") || exit 1

# case_begin NAME, then steps; the first failed one ends the case: use `|| return` after check.
run_case() {
	local name=$1
	shift
	why=
	if "$@"; then
		passed=$((passed + 1))
		echo "ok   $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name${why:+: $why}"
	fi
}
skip_case() {
	skipped=$((skipped + 1))
	echo "SKIPPED $1: $2"
}
finish() {
	cleanup
	if [ $skipped -gt 0 ]; then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	[ $failed -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
	exit
}
# no TEXT: why the case fails.
no() {
	why=$*
	return 1
}

# The program with a deadline; its messages in $work/err.
sk() {
	timeout -k 5 $RUN_SECONDS_MAX "$SKERRY" "$@" 2> "$work/err"
}
# expect CODE command...: the exit code must be this one.
expect() {
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ $got -eq "$want" ] || no "$* ended with $got, not $want: $(tail -n 2 "$work/err" 2> /dev/null)"
}

# Whether a process runs; one that only waits for its parent to take note has ended.
alive() {
	awk '/^State:/ { ended = $2 == "Z" || $2 == "X" } END { exit !(NR && !ended) }' \
	    "/proc/$1/status" 2> /dev/null
}
# Whether a process in the background is the program already: before, it is the shell, whose traps swallow a signal.
has_become() {
	[ "/proc/$1/exe" -ef "$SKERRY" ]
}
# until_true SECONDS command...: waits for a condition.
until_true() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.05
	done
}
gone() {
	local pid
	for pid in "$@"; do
		! alive "$pid" || return 1
	done
}

# net_start DIR PEERS CODE [option...]
net_start() {
	local dir=$1 peers=$2 code=$3
	shift 3
	net_dir=$dir
	: > "$work/net.json"		# what a former network said
	"$SKERRY" testnet --dir "$dir" --peers "$peers" --code "$code" --json "$@" \
	    > "$work/net.json" 2> "$work/net.err" < /dev/null &
	testnet=$!
	if ! until_true $START_SECONDS_MAX net_answered; then
		no "no network: $(tail -n 3 "$work/net.err")"
		return 1
	fi
	mapfile -t pids < <(tr '{' '\n' < "$work/net.json" |
	    sed -n 's/.*"pid" *: *\([0-9][0-9]*\).*/\1/p')
	[ ${#pids[@]} -eq "$peers" ] || no "no network of $peers peers: $(tail -n 3 "$work/net.err")"
}
net_answered() {
	grep -q '"peers"' "$work/net.json" || ! alive "$testnet"
}
# Ends the network in order; its exit code.
net_stop() {
	local status=0
	[ -n "$testnet" ] || return 0
	kill -TERM "$testnet" 2> /dev/null
	if ! until_true 30 gone "$testnet" "${pids[@]}"; then
		kill -KILL "$testnet" "${pids[@]}" 2> /dev/null
		status=1
	fi
	wait "$testnet" 2> /dev/null || status=$?
	testnet= pids=()
	return $status
}
# net_kill: power cut for all of it.
net_kill() {
	kill -KILL "$testnet" "${pids[@]}" 2> /dev/null
	until_true 10 gone "$testnet" "${pids[@]}" || no "killed processes still run"
	wait "$testnet" 2> /dev/null
	testnet= pids=()
}
# peers_kill POSITION...
peers_kill() {
	local i victims=()
	for i in "$@"; do
		victims+=("${pids[$i]}")
	done
	kill -KILL "${victims[@]}"
	until_true 10 gone "${victims[@]}" || no "killed peers still run"
}

# contact, network: where the network under way is reached, and its name.
contact() {
	sed 's/.*"bootstrap":\["\([^"]*\)".*/\1/' "$work/net.json"
}
network() {
	sed -n 's/^network = //p' "$net_dir/skerry.conf"
}
# account_make DIR: an account in that network, whose words go to $work/words.
account_make() {
	sk init --dir "$1" --network "$(network)" --bootstrap "$(contact)" --test-network \
	    --pow-bits 0 > "$work/words"
}

# field FILE NAME: the first text of that name in what a program said in JSON.
field() {
	grep -o "\"$2\":\"[^\"]*\"" "$1" | head -n 1 | cut -d '"' -f 4
}
# gateway_start NAME PROGRAM [argument...]: what it said is in $work/NAME.json.
gateway_start() {
	local name=$1
	shift
	: > "$work/$name.json"		# what a former one said
	"$@" > "$work/$name.json" 2> "$work/$name.err" < /dev/null &
	gateways[$name]=$!
	until_true "$ANSWER_SECONDS_MAX" grep -q endpoint "$work/$name.json" ||
	    no "no gateway: $(cat "$work/$name.err")"
}
# gateway_stop [NAME...]: these, or all; an exit code that was not 0.
gateway_stop() {
	local name status=0
	[ $# -gt 0 ] || set -- "${!gateways[@]}"
	for name in "$@"; do
		kill -TERM "${gateways[$name]}" 2> /dev/null
		until_true 30 gone "${gateways[$name]}" || kill -KILL "${gateways[$name]}" 2> /dev/null
		wait "${gateways[$name]}" 2> /dev/null || status=$?
		unset "gateways[$name]"
	done
	return $status
}
# s3_answers STATUS KEYS GATEWAY METHOD PATH [curl option...]: with the keys that the file KEYS has, of the gateway
# of that name; head and body are in $work/head and $work/body.
s3_answers() {
	local want=$1 keys=$2 gateway=$3 method=$4 path=$5 got verb
	shift 5
	verb=(-X "$method")
	[ "$method" != HEAD ] || verb=(--head)
	got=$(curl -sS -m "$ANSWER_SECONDS_MAX" --aws-sigv4 aws:amz:us-east-1:s3 -D "$work/head" -o "$work/body" \
	    -w '%{http_code}' -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "${verb[@]}" "$@" \
	    --user "$(field "$keys" access_key):$(field "$keys" secret_key)" \
	    "$(field "$work/$gateway.json" endpoint)$path" 2> "$work/err")
	[ "$got" = "$want" ] || no "$method $path: $got, not $want: $(head -c 400 "$work/body") $(cat "$work/err")"
}

# random_file FILE BYTES
random_file() {
	head -c "$2" /dev/urandom > "$1"
}
# round_trip FILE NET: put, get, compare.
round_trip() {
	sk put "$1" --dir "$2" > "$work/link" || { no "put: $(cat "$work/err")"; return 1; }
	sk get - -o "$work/copy" --dir "$2" < "$work/link" || { no "get: $(cat "$work/err")"; return 1; }
	cmp -s "$1" "$work/copy" || no "the copy differs"
	rm -f "$work/copy"
}
no_leftovers() {
	local left
	left=$(find "$1" -name '*.part-*')
	[ -z "$left" ] || no "left behind: $left"
}
