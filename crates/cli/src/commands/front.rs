//! `ficha` alone: what people do first.

use crate::error::CliError;
use crate::output;

const FRONT: &str = concat!(
    "ficha ",
    env!("CARGO_PKG_VERSION"),
    ": an OAuth2 password-flow authorization server with tokens that can be revoked

  ficha serve                          start the server; the first start prints the password of `admin`
  ficha user add alice                 add a user
  ficha client add notes-app --public --scope any
                                       add an application; `--serves notes` adds a service that checks tokens
  ficha login --user alice             obtain tokens; `ficha token show` shows them
  ficha session revoke --user alice    end a user's sessions: their tokens are refused
  ficha config --check                 check the settings before others use the server

`ficha help` lists all commands, and `ficha help COMMAND` explains one.
"
);

/// Prints it.
pub fn run() -> Result<(), CliError> {
    output::print(FRONT)
}
