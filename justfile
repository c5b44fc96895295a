# What contributors run. `just --list` shows it; each is one plain command that can be typed without just.

# Every test, on both databases where PostgreSQL is at hand.
test *arguments:
    cargo test --workspace {{arguments}}

# Formatting and lints, warnings as errors.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# Puts the formatting right.
format:
    cargo fmt --all

# Everything that must pass before a change lands.
ci:
    .ci/run

# Breaks one guarantee after the other, and fails unless a test notices. `just faults refresh-replay` takes one.
faults *names:
    faults/run {{names}}

# Fuzzes the parsers for a while: `just fuzz 300 jwt form`. It needs cargo-fuzz and a nightly toolchain.
fuzz *arguments:
    fuzz/run {{arguments}}

# Sweeps every fault under the databases and kills the server again and again: hours. The short form is among the tests.
reliability:
    FICHA_RELIABILITY=full FICHA_RELIABILITY_KILLS=200 cargo test -p ficha --test reliability -- --nocapture --test-threads 1
