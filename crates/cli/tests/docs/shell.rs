//! One shell in an empty directory, in which the blocks of a page run one after the other.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Long, for machines that are building at the same time. A page that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Printed before the output of each part, with its number. No command prints this itself.
const MARK: &str = " the next part of the page";

/// Addresses on the pages, for which a free one is taken.
const SERVER: [&str; 3] = ["https://auth.example.com", "http://127.0.0.1:8080", "http://localhost:8080"];
const SERVICE: &str = "127.0.0.1:8081";

/// Printed if the machine lacks a program that the page needs.
pub const LACKS: &str = "this machine lacks ";

/// What is defined in the shell: what a reader types where the page shows a command that asks.
const PRELUDE: &str = r#"
exec 2>&1
set -euo pipefail
trap 'kill $server $service 2>/dev/null || true' EXIT
trap 'exit 1' TERM
server='' service='' PASSWORD='seven quiet otters juggle'
# A prompt for a password is answered with it, and a question with yes.
ficha() {
  # In the background, `$!` is to be the server's own process.
  case "$1" in serve) [ "$BASHPID" = "$$" ] || exec ficha "$@" ;; esac
  case " $* " in
    *" --password-stdin "* | *" --password-hash "* | *" --help "*) command ficha "$@" ;;
    *" user add "* | *" user set-password "* | *" login "*) printf %s "$PASSWORD" | command ficha "$@" --password-stdin ;;
    *" recover "* | *" key purge "* | *" session revoke --all "* | *" user erase "*)
      case " $* " in *" --yes "*) command ficha "$@" ;; *) command ficha "$@" --yes ;; esac ;;
    *) command ficha "$@" ;;
  esac
}
# Ends the page if the machine lacks a program; it fails only where everything is required.
needs() {
  for program in "$@"; do
    command -v "$program" > /dev/null && continue
    [ "$REQUIRE" = all ] && echo "$program is not installed" && exit 1
    echo "this machine lacks $program"
    exit 1
  done
}
# The same of programs that Debian does not have: the page ends here without them.
wants() {
  for program in "$@"; do
    command -v "$program" > /dev/null || { echo "this machine lacks $program"; exit 1; }
  done
}
needs_python() {
  python3 -c "import $1" 2> /dev/null && return
  [ "$REQUIRE" = all ] && echo "python3 has no module $1: run .ci/python" && exit 1
  echo "this machine lacks the Python module $1"
  exit 1
}
# Starts the server, and waits until it is ready. The first start's password is that of the page.
serve() {
  command ficha serve > first-start.txt 2> ficha.log & server=$!
  curl -s -o /dev/null --retry 60 --retry-delay 1 --retry-all-errors "http://$ADDRESS/health/ready"
  case "$(cat first-start.txt)" in *password*) ficha user set-password admin > /dev/null ;; esac
}
# An access token of a user with these scopes, through a client.
token() {
  curl -sSf "http://$ADDRESS/token" -d grant_type=password -d "client_id=$2" --data-urlencode "scope=${3-}" \
    -d "username=$1" --data-urlencode "password=$PASSWORD" | jq -r .access_token
}
needs curl jq
secret_of() { command ficha client add-secret "$1" --json | jq -r .client_secret; }
stop() { kill "$server"; wait "$server" || true; server=''; }
"#;

/// Runs the parts in one shell. With a failure, the output of the part that failed is the error.
pub fn run(parts: &[String]) -> Result<Vec<String>, (usize, String)> {
    let (folder, server, service) = (tempfile::tempdir().unwrap(), free_address(), free_address());
    let mut shell = Command::new("bash");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FICHA_") {
            shell.env_remove(name);
        }
    }
    let root = crate::markdown::repository().canonicalize().unwrap();
    let python = root.join("target/python/bin");
    let (programs, usual) = (programs().display(), std::env::var("PATH").unwrap());
    let path = format!("{programs}:{programs}/examples:{}:{usual}:/usr/sbin", python.display());
    shell
        .current_dir(folder.path())
        .envs([("PATH", path.as_str()), ("ADDRESS", &server), ("SERVICE", &service)])
        .envs([("FICHA__SERVER__BIND", server.as_str()), ("NOTES_BIND", &service)])
        .env("HOME", folder.path())
        .env("REPOSITORY", root)
        .env("REQUIRE", std::env::var("FICHA_TEST_REQUIRE").unwrap_or_default())
        .env_remove("XDG_CONFIG_HOME")
        // Cheap, since hashing is not tested here.
        .env("FICHA__PASSWORD__BCRYPT_COST", "4")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // A group of its own, with everything that the page starts.
    let mut shell = std::os::unix::process::CommandExt::process_group(&mut shell, 0).spawn().unwrap();
    let script = script(parts, &server, &service);
    let mut input = shell.stdin.take().unwrap();
    // A shell that has ended reads no more.
    std::thread::spawn(move || drop(input.write_all(script.as_bytes())));
    let mut output = shell.stdout.take().unwrap();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = output.read_to_end(&mut text);
        // The receiver may have timed out.
        let _ = sender.send(read.map(|_| String::from_utf8_lossy(&text).into_owned()));
    });
    let received = receiver.recv_timeout(PATIENCE);
    if received.is_err() {
        // With everything that it has started: a shell hears nothing while a command runs.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", shell.id())]).status();
        let _ = shell.wait();
        return Err((0, format!("the page did not finish within {} seconds", PATIENCE.as_secs())));
    }
    let status = shell.wait().unwrap();
    let text = received.unwrap();
    let mut printed: Vec<String> = text.unwrap().split(&format!("\n{MARK}\n")).skip(1).map(str::to_owned).collect();
    match status.success() && printed.len() == parts.len() {
        true => Ok(printed),
        false => Err((printed.len().saturating_sub(1), printed.pop().unwrap_or_default())),
    }
}

fn script(parts: &[String], server: &str, service: &str) -> String {
    let mut script = PRELUDE.to_owned();
    for part in parts {
        let part = SERVER
            .iter()
            .fold(part.replace(SERVICE, service), |text, from| text.replace(from, &format!("http://{server}")));
        // The part must not read the script.
        script.push_str(&format!("printf '\\n{MARK}\\n'\n{{\n{part}\n}} < /dev/null\n"));
    }
    script
}

pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The directory of the program; the examples are below it.
pub fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ficha")).parent().unwrap()
}

/// True if `printed` is what the page shows. Times, ids and numbers may differ, and so may the width of columns.
pub fn is_as_shown(shown: &str, printed: &str) -> bool {
    let lines = |text: &str| -> Vec<String> { text.trim().lines().map(normal).collect() };
    let (shown, printed) = (lines(shown), lines(printed));
    shown.len() == printed.len() && shown.iter().zip(&printed).all(|(shown, line)| fits(shown, line))
}

/// A line with a sign in place of each time, id and number.
pub fn normal(line: &str) -> String {
    // A status of HTTP says what has happened.
    if line.trim().len() == 3 && line.trim().bytes().all(|byte| byte.is_ascii_digit()) {
        return line.trim().to_owned();
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '_');
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        let mut text = String::new();
        for piece in word.split_inclusive(|c: char| !is_part(c)) {
            let (piece, end) = match piece.chars().last().filter(|c| !is_part(*c)) {
                Some(end) => (&piece[..piece.len() - end.len_utf8()], Some(end)),
                None => (piece, None),
            };
            text.push_str(if is_variable(piece) { "#" } else { piece });
            text.extend(end);
        }
        words.push(text);
    }
    words.join(" ")
}

/// A time, an id, an address or a number.
fn is_variable(piece: &str) -> bool {
    // As in `"exp":1763800000`.
    let piece = piece.trim_start_matches(':');
    let digits = piece.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits > 0 && piece.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_time = digits >= 14 && piece.contains('T') && piece.ends_with('Z');
    let is_hex = |part: &str| part.len() >= 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_id = piece.len() >= 8 && piece.split('-').all(|part| is_hex(part) || part.len() > 20) && digits > 0;
    let is_instance = piece.rsplit_once('-').is_some_and(|(_, end)| end.len() >= 8 && is_hex(end));
    is_number || is_time || is_id || is_instance || piece.starts_with("127.0.0.1:")
}

/// `…` in a shown line stands for any text.
pub fn fits(shown: &str, line: &str) -> bool {
    let Some((first, rest)) = shown.split_once('…') else { return shown == line };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match line.split_once(part) {
            Some((_, after)) => line = after,
            None => return false,
        }
    }
    line.ends_with(last)
}

#[test]
fn only_times_ids_and_numbers_may_differ() {
    for (shown, printed, expected) in [
        ("1 session ended", "1 session ended", true),
        ("1 session ended", "2 sessions ended", false),
        ("notes  web-1-5f0c91d2  refuses  after 61 ms", "notes web-1-5f0c91d2 refuses after 7 ms", true),
        ("until 2026-11-28T19:09:36Z, and", "until 2027-01-01T00:00:00Z, and", true),
        (
            "{\"sub\":\"01a22386-f51f-72f9-9b31-569417901ae1\"}",
            "{\"sub\":\"00000000-f51f-72f9-9b31-569417901ae2\"}",
            true,
        ),
        ("user alice added", "user bob added", false),
        ("200", "401", false),
        ("key … published", "key abc published", true),
    ] {
        assert_eq!(is_as_shown(shown, printed), expected, "{shown:?} {printed:?}");
    }
}
