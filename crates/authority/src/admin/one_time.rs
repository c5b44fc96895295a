//! One-time passwords.

use ficha_password::Password;
use ficha_token::Entropy;

use super::{Actor, Admin, AdminError, NewPassword};
use crate::keys::secret::Secret;

/// Letters and digits that nobody takes for one another: 32 of them, 5 bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789-";
/// 100 bits.
const LENGTH: usize = 20;

impl Admin {
    /// Sets a new one-time password, and logs the user out everywhere. It is returned only here.
    pub async fn set_one_time_password(&self, actor: &Actor, name: &str) -> Result<(Secret, u64), AdminError> {
        let secret = self.one_time_password();
        let password = NewPassword::Plain(Password::new(secret.expose()));
        let sessions = self.replace_password(actor, name, password, true).await?;
        Ok((secret, sessions))
    }

    /// A password for one use.
    pub fn one_time_password(&self) -> Secret {
        one_time(&*self.base.entropy, LENGTH.max(self.base.settings.password.min_length))
    }
}

fn one_time(entropy: &dyn Entropy, length: usize) -> Secret {
    let mut bytes = vec![0; length];
    entropy.fill(&mut bytes);
    let text: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    Secret::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_one_of_twenty_characters() {
        let (one, other) =
            (one_time(&ficha_token::SystemEntropy, LENGTH), one_time(&ficha_token::SystemEntropy, LENGTH));
        assert_eq!(one.expose().len(), LENGTH);
        assert_ne!(one.expose(), other.expose());
        let mut letters = ALPHABET.to_vec();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), 32);
    }
}
