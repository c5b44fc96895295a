#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ficha_fuzz::deny_page(data));
