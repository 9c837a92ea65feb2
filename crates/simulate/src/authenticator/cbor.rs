//! The little CBOR (RFC 8949) that an authenticator writes, in CTAP2's canonical order.

/// A COSE key (RFC 9053) of an uncompressed P-256 point.
pub(super) fn es256_key(point: &[u8]) -> Vec<u8> {
    let (x, y) = point[1..].split_at(32);
    let mut key = Vec::with_capacity(80);
    head(&mut key, MAP, 5);
    key.extend_from_slice(&[0x01, 0x02]); // kty: EC2
    key.extend_from_slice(&[0x03, 0x26]); // alg: ES256 (-7)
    key.extend_from_slice(&[0x20, 0x01]); // crv: P-256
    key.push(0x21);
    bytes(&mut key, x);
    key.push(0x22);
    bytes(&mut key, y);
    key
}

/// Signature and certificates (DER) of a packed attestation.
type Packed<'a> = (Vec<u8>, &'a [Vec<u8>]);

/// An attestation object (WebAuthn Level 3 §6.5.4): packed with certificates where there is one, else none.
pub(super) fn attestation_object(auth_data: &[u8], packed: Option<Packed<'_>>) -> Vec<u8> {
    let mut object = Vec::with_capacity(auth_data.len() + 64);
    head(&mut object, MAP, 3);
    text(&mut object, "fmt");
    text(&mut object, if packed.is_some() { "packed" } else { "none" });
    text(&mut object, "attStmt");
    match packed {
        None => head(&mut object, MAP, 0),
        Some((signature, certificates)) => {
            head(&mut object, MAP, 3);
            text(&mut object, "alg");
            object.push(0x26); // ES256 (-7)
            text(&mut object, "sig");
            bytes(&mut object, &signature);
            text(&mut object, "x5c");
            head(&mut object, ARRAY, certificates.len());
            for certificate in certificates {
                bytes(&mut object, certificate);
            }
        }
    }
    text(&mut object, "authData");
    bytes(&mut object, auth_data);
    object
}

const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;

fn head(out: &mut Vec<u8>, major: u8, count: usize) {
    match u16::try_from(count).expect("nothing an authenticator writes is longer than 64 KiB").to_be_bytes() {
        [0, low @ 0..24] => out.push(major | low),
        [0, low] => out.extend_from_slice(&[major | 0x18, low]),
        [high, low] => out.extend_from_slice(&[major | 0x19, high, low]),
    }
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    head(out, BYTES, value.len());
    out.extend_from_slice(value);
}

fn text(out: &mut Vec<u8>, value: &str) {
    head(out, TEXT, value.len());
    out.extend_from_slice(value.as_bytes());
}
