//! The master key, and what is encrypted under it: AES-256-GCM with a random nonce.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ficha_token::Entropy;
use zeroize::Zeroizing;

use crate::error::StartError;
use crate::events::chain::ChainKey;
use crate::keys::secret::Secret;

/// Where the master key comes from.
#[derive(Debug, Clone)]
pub struct MasterKeySource {
    /// `keys.master_key`: the key itself, 32 bytes in base64. It takes precedence over the file.
    pub key: Option<Secret>,
    /// `keys.master_key_file`.
    pub file: PathBuf,
}

/// The key that encrypts the stored keys.
pub struct MasterKey {
    sealing: LessSafeKey,
    tagging: hmac::Key,
    chaining: hmac::Key,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKeySource {
    /// The master key, if there is one.
    pub fn load(&self) -> Result<Option<MasterKey>, StartError> {
        if let Some(key) = &self.key {
            return MasterKey::decode(key.expose(), "keys.master_key").map(Some);
        }
        match fs::read_to_string(&self.file) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                MasterKey::decode(text.trim(), &self.file.display().to_string()).map(Some)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StartError::MasterKeyFile { path: self.file.clone(), source }),
        }
    }

    /// The master key of a database that contains keys already.
    pub fn load_existing(&self) -> Result<MasterKey, StartError> {
        self.load()?.ok_or_else(|| StartError::MasterKeyMissing(self.file.clone()))
    }

    /// The master key of a database that contains no keys yet; created with mode 0600 if there is none. True if this
    /// call created it.
    pub fn load_or_make(&self, entropy: &dyn Entropy) -> Result<(MasterKey, bool), StartError> {
        if let Some(key) = self.load()? {
            return Ok((key, false));
        }
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        let text = Zeroizing::new(STANDARD.encode(bytes.as_ref()) + "\n");
        match write_new(&self.file, text.as_bytes()) {
            // Another server created it in the meantime: its key is used.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok((self.load_existing()?, false)),
            Err(source) => Err(StartError::MasterKeyFile { path: self.file.clone(), source }),
            Ok(()) => Ok((MasterKey::decode(text.trim(), "the new key")?, true)),
        }
    }

    /// Removes a file that [`MasterKeySource::load_or_make`] created.
    pub fn discard(&self) -> Result<(), StartError> {
        fs::remove_file(&self.file).map_err(|source| StartError::MasterKeyFile { path: self.file.clone(), source })
    }
}

/// Writes a file that only its owner may read, whole or not at all: under another name first, then linked to its own,
/// which fails if that exists.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    // Whether or not it was linked, the draft is no longer needed.
    let _ = fs::remove_file(&draft);
    // The file's name must survive a power failure like its content: without this key the stored keys can't be opened.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    linked.and_then(|()| fs::File::open(folder)?.sync_all())
}

impl MasterKey {
    fn decode(text: &str, from: &str) -> Result<Self, StartError> {
        let malformed = || StartError::MasterKeyMalformed { from: from.to_owned() };
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| malformed())?);
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| malformed())?;
        // A separate key for tags: one key is never used with two algorithms.
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), b"ficha tags");
        let chain = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), b"ficha event chain");
        Ok(Self {
            sealing: LessSafeKey::new(key),
            tagging: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
            chaining: hmac::Key::new(hmac::HMAC_SHA256, chain.as_ref()),
        })
    }

    /// A 16-byte pseudonym for `parts` that reveals nothing about them without this key. Each part is bound with its
    /// length.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.tagging);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 16];
        out.copy_from_slice(&context.sign().as_ref()[..16]);
        out
    }

    /// The key of the event log's hashes.
    pub fn chain_key(&self) -> ChainKey {
        ChainKey::new(self.chaining.clone())
    }

    /// Encrypts `plain`. `name` is bound to it: sealed bytes that are moved to another row can't be opened.
    pub fn seal(&self, entropy: &dyn Entropy, name: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = nonce.to_vec();
        let mut body = plain.to_vec();
        self.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name.as_bytes()), &mut body)
            .expect("AES-GCM takes any text shorter than 64 GiB");
        sealed.extend_from_slice(&body);
        sealed
    }

    /// Decrypts what [`MasterKey::seal`] made under the same name; `None` if anything differs.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = self.sealing.open_in_place(nonce, Aad::from(name.as_bytes()), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ficha_token::SystemEntropy;

    #[test]
    fn sealed_bytes_open_only_whole_and_under_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let source = MasterKeySource { key: None, file: folder.path().join("deep/master.key") };
        assert!(matches!(source.load_existing(), Err(StartError::MasterKeyMissing(_))));
        let (key, made) = source.load_or_make(&SystemEntropy).unwrap();
        assert!(made && !source.load_or_make(&SystemEntropy).unwrap().1);
        let sealed = key.seal(&SystemEntropy, "a", b"secret");
        assert_eq!(source.load_existing().unwrap().open("a", &sealed).unwrap().as_slice(), b"secret");
        assert!(key.open("b", &sealed).is_none());
        assert!(key.open("a", &sealed[..sealed.len() - 1]).is_none());
        assert!(key.open("a", b"short").is_none());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&source.file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_malformed_key_file_is_named_in_the_error_but_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        fs::write(&file, "hunter2").unwrap();
        let error = MasterKeySource { key: None, file }.load_existing().unwrap_err().to_string();
        assert!(error.contains("master.key") && !error.contains("hunter2"), "{error}");
    }
}
