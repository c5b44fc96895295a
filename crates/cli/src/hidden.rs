//! A prompt whose answer is not shown, and which leaves the terminal as it was, also after Ctrl-C.

use std::io;
#[cfg(unix)]
use std::sync::{Arc, LazyLock, atomic::AtomicBool, atomic::Ordering};

use zeroize::Zeroizing;

use crate::error::CliError;

/// Asks on the terminal, without echo.
pub fn ask(prompt: &str) -> Result<Zeroizing<String>, CliError> {
    let asked = without_interruption(|| rpassword::prompt_password(prompt).map(Zeroizing::new));
    asked.map_err(CliError::Reading)
}

/// rpassword raises SIGINT before it restores the terminal, so the signal has to wait until it has.
#[cfg(unix)]
fn without_interruption<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    use signal_hook::consts::SIGINT;
    /// False while a prompt is open: the signal then does nothing. One that another process sends meanwhile is lost; Ctrl-C
    /// is a character to rpassword.
    static ENDS: LazyLock<io::Result<Arc<AtomicBool>>> = LazyLock::new(|| {
        let ends = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&ends)).map(|_| ends)
    });
    let Ok(ends) = &*ENDS else { return ask() };
    ends.store(false, Ordering::SeqCst);
    let answer = ask();
    ends.store(true, Ordering::SeqCst);
    match &answer {
        // Ends this process as the signal does, so that a script is interrupted as well.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            signal_hook::low_level::emulate_default_handler(SIGINT)?;
            answer
        }
        _ => answer,
    }
}

#[cfg(not(unix))]
fn without_interruption<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    ask()
}
