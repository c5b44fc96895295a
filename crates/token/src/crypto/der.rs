//! Just enough DER to extract the RSA key from its PKCS#8 wrapping.

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The `RSAPrivateKey` (RFC 8017 §A.1.2) inside a `PrivateKeyInfo` (RFC 5208 §5): version, algorithm, octet string.
///
/// jsonwebtoken wants RSA keys in that form, and every other key as PKCS#8.
pub(crate) fn pkcs1_of_pkcs8(der: &[u8]) -> Option<&[u8]> {
    let (info, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(info, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (key, _) = element(rest, OCTET_STRING)?;
    Some(key)
}

/// Splits off one element with that tag: its content, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        // Two bytes of length are enough for any RSA key up to 8192 bits.
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_octet_string_is_found() {
        let der = [0x30, 9, 2, 1, 0, 0x30, 0, 4, 2, 0xAA, 0xBB];
        assert_eq!(pkcs1_of_pkcs8(&der), Some(&[0xAA, 0xBB][..]));
        assert_eq!(pkcs1_of_pkcs8(&der[..10]), None);
        assert_eq!(pkcs1_of_pkcs8(&[]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(der in proptest::collection::vec(any::<u8>(), 0..64)) {
            pkcs1_of_pkcs8(&der);
        }
    }
}
