#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ficha_fuzz::jwt(data));
