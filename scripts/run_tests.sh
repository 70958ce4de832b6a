# Sourced by ./dev: builds and runs the tests, and adds up the results. The tests are compiled once, with the sanitizers;
# the integration tests then run twice: with the programs that ship, and with the sanitized ones.

passed=0 failed=0 skipped=0

# count FILE: adds the numbers of a JUnit report; a missing report is a failure.
count() {
  local head tests failures skips
  head=$(grep --max-count=1 --after-context=8 '<testsuite ' "$1" 2>/dev/null | tr '\n' ' ') || head=
  tests=$(sed -n 's/.*[[:space:]]tests="\([0-9]*\)".*/\1/p' <<<"$head")
  failures=$(sed -n 's/.*[[:space:]]failures="\([0-9]*\)".*/\1/p' <<<"$head")
  skips=$(sed -n 's/.*[[:space:]]skipped="\([0-9]*\)".*/\1/p' <<<"$head")
  if [[ -z $tests || -z $failures ]]; then
    echo "dev: ctest left no report in $1" >&2
    failed=$((failed + 1))
    return
  fi
  failed=$((failed + failures))
  skipped=$((skipped + ${skips:-0}))
  passed=$((passed + tests - failures - ${skips:-0}))
}

# run_label PRESET LABEL JOBS PROGRAMS [CTEST ARGUMENTS…]: PROGRAMS is the directory of the programs under test.
run_label() {
  local preset=$1 label=$2 jobs=$3 programs=$4 report
  shift 4
  report=$PWD/build/$preset/report-$label.xml
  as_root rm -f "$report"
  say "preset $preset: $label tests of ${programs#"$PWD/"}"
  as_root env "GUESTAGENT_PROGRAM_DIR=$programs" \
    "ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}" \
    "UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}" ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-19 \
    ctest --test-dir "build/$preset" --label-regex "^$label\$" --parallel "$jobs" --output-on-failure --no-tests=ignore \
    --output-junit "$report" "$@" </dev/null || true
  count "$report"
  # As root, ctest leaves files that the caller could not write over next time.
  ((EUID == 0)) || as_root chown -R "$(id -u):$(id -g)" "build/$preset/Testing"
}

# The tests of pure libraries, and that each program explains itself, under an emulator.
run_arm64_tests() {
  if build_arm64; then
    run_label arm64 unit "$(jobs)" "$PWD/build/bin-arm64" "$@"
  else
    failed=$((failed + 1))
  fi
}

run_tests() {
  local preset=asan shipped=1 sanitized=1 arguments=()
  while (($# > 0)); do
    case $1 in
      --only)
        case ${2:-} in
          dev) preset=dev sanitized='' ;;
          asan) shipped='' ;;
          arm64) preset=arm64 ;;
          *) fail "--only needs dev, asan or arm64" ;;
        esac
        ;;
      -R) arguments+=(--tests-regex "${2:?-R needs a regular expression}") ;;
      --repeat) arguments+=(--repeat "until-fail:${2:?--repeat needs a number}") ;;
      *) fail "test: unknown option $1; see ./dev help" ;;
    esac
    shift 2
  done
  if [[ $preset == arm64 ]]; then
    run_arm64_tests "${arguments[@]}"
  elif build "$preset" && { [[ -z $shipped ]] || command_build; }; then
    run_label "$preset" unit 4 "$PWD/build/$preset/bin" "${arguments[@]}"
    [[ -z $shipped ]] || run_label "$preset" integration 2 "$PWD/build/bin" "${arguments[@]}"
    # The variants of iptables differ in rules, not in memory use: under AddressSanitizer one of them is enough. In an
    # emulated machine sanitized programs are too slow. Large amounts of ports, connections and bytes, and counts of
    # wake-ups, show nothing more to the sanitizers than small ones. Only the programs that ship are static, in the
    # packages, and in the disk of the virtual machines.
    local unsanitized='/legacy|^vsock|^guest_network|^guest_bad_link|^second_machine|^(privileged_)?range\.|^each_bad_link/|^(many|silent)_connections|^answers\.|^static_programs\.|^package\.|^vm_(disk|outside|inside)$'
    [[ -z $sanitized ]] ||
      run_label asan integration 2 "$PWD/build/asan/bin" --exclude-regex "$unsanitized" "${arguments[@]}"
  else
    failed=$((failed + 1))
  fi
  local summary="$passed passed, $failed failed"
  ((skipped == 0)) || summary+=", $skipped skipped"
  echo "$summary" | tee build/test-summary
  ((passed > 0 && failed == 0))
}
