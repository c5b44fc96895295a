//! The tokio runtime that the library needs.

use std::panic::catch_unwind;
use std::time::Duration;

use tokio::runtime::Handle;

const NONE: &str = "there is no tokio runtime here: call this from async code that tokio runs, such as a function under \
                    #[tokio::main], or enter the runtime first (tokio::runtime::Handle::enter)";
const NO_TIMERS: &str = "the tokio runtime has no timers: build it with enable_all() or enable_time()";
const NO_IO: &str = "the tokio runtime has no I/O: build it with enable_all() or enable_io()";

/// The current runtime, whatever it can do, or why there is none.
pub(crate) fn any() -> Result<Handle, &'static str> {
    Handle::try_current().map_err(|_| NONE)
}

/// The current runtime if it can talk to a server, or why it cannot.
///
/// A runtime does not say what it lacks other than by a panic, so that is what is tried here, where nothing can be lost
/// by it. In the middle of a refresh a token could be.
pub(crate) fn complete() -> Result<Handle, &'static str> {
    let runtime = any()?;
    if catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_err() {
        return Err(NO_TIMERS);
    }
    if !has_io() {
        return Err(NO_IO);
    }
    Ok(runtime)
}

/// An ordinary error, such as too many open files, is left to the request itself.
#[cfg(unix)]
fn has_io() -> bool {
    catch_unwind(|| drop(tokio::net::UnixDatagram::unbound())).is_ok()
}

#[cfg(not(unix))]
fn has_io() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_says_what_it_lacks() {
        assert_eq!(complete().err(), Some(NONE));
        let of = |build: fn(&mut tokio::runtime::Builder) -> &mut tokio::runtime::Builder| {
            let runtime = build(&mut tokio::runtime::Builder::new_current_thread()).build().unwrap();
            runtime.block_on(async { (any().err(), complete().err()) })
        };
        assert_eq!(of(|runtime| runtime), (None, Some(NO_TIMERS)));
        assert_eq!(of(|runtime| runtime.enable_io()), (None, Some(NO_TIMERS)));
        assert_eq!(of(|runtime| runtime.enable_time()), (None, cfg!(unix).then_some(NO_IO)));
        assert_eq!(of(|runtime| runtime.enable_all()), (None, None));
    }
}
