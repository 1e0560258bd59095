#!/bin/bash -eu
# Builds every fuzz target of the repository's fuzz folder for OSS-Fuzz, with its seeds, dictionary and
# options. OSS-Fuzz knows f.Fuzz only and ignores f.Add, so the seeds come from files. The second version of
# its compiler is needed: it takes in all test files of a package.

cd "$SRC/sampan"
export GOWORK=off
go run ./fuzz/corpus -layout oss-fuzz -out "$WORK/seeds"

# FuzzSession drives goroutines through testing/synctest, which needs the test binary, and so does TestMain.
rm fuzz/session_test.go fuzz/main_test.go

# A binary has its target's name in lower case, the words apart: fuzz_psk_server is FuzzPSKServer.
grep -o '^func Fuzz[A-Za-z0-9]*' fuzz/*_test.go fuzz/*/*_test.go | sort -u | while IFS=: read -r file func; do
	package=$(dirname "$file")
	target=${func#func }
	name=$(sed -E 's/([a-z0-9])([A-Z])/\1_\2/g; s/([A-Z])([A-Z][a-z])/\1_\2/g' <<<"$target" | tr '[:upper:]' '[:lower:]')
	compile_native_go_fuzzer_v2 "sampan/$package" "$target" "$name"
	if [ -d "$WORK/seeds/$package/$target" ]; then
		zip -q -j "$OUT/${name}_seed_corpus.zip" "$WORK/seeds/$package/$target"/*
	fi
	cp fuzz/dict/mqtt.dict "$OUT/$name.dict"
	cp fuzz/oss-fuzz/fuzz.options "$OUT/$name.options"
done
