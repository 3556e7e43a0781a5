//! Distinguished names (X.501): as a certificate holds them, and as one line of RFC 4514, the form that
//! `openssl x509 -noout -subject -nameopt RFC2253` prints: the last RDN first, no spaces, escapes.
//! Two names are the same when their attributes are, however they were written.

use std::iter::Peekable;
use std::str::Bytes;

/// The RDNs in the order of the line; an RDN is a set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DistinguishedName(Vec<Vec<Attribute>>);

/// One attribute: its type as an object identifier with dots, and its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    oid: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    /// DER of what is no string.
    Der(Vec<u8>),
}

/// Why a line is no distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("each of its parts is written TYPE=VALUE, with a comma and no space between them")]
    Untyped,
    #[error("{0:?} is no attribute type with a known name: write its object identifier, such as 2.5.4.3")]
    Type(String),
    #[error("a backslash stands before two hexadecimal digits or one of \" # + , ; < = > \\ and space")]
    Escape,
    #[error("a backslash is missing before one of \" ; < > or before a space at the end of a value")]
    Bare,
    #[error("what follows # is the value's DER in hexadecimal digits")]
    Hex,
    #[error("a value is not UTF-8")]
    Utf8,
}

impl DistinguishedName {
    /// Of RDNs in the order of a certificate, the last one the most particular.
    pub fn of_certificate(rdns: impl IntoIterator<Item = Vec<Attribute>>) -> Self {
        let mut rdns: Vec<_> = rdns.into_iter().map(set).collect();
        rdns.reverse();
        Self(rdns)
    }

    /// Reads a line of RFC 4514.
    pub fn parse(line: &str) -> Result<Self, InvalidName> {
        let mut rdns = Vec::new();
        let mut input = line.bytes().peekable();
        while input.peek().is_some() {
            let mut rdn = vec![attribute(&mut input)?];
            while input.next_if_eq(&b'+').is_some() {
                rdn.push(attribute(&mut input)?);
            }
            rdns.push(set(rdn));
            if input.next_if_eq(&b',').is_some() && input.peek().is_none() {
                return Err(InvalidName::Untyped);
            }
        }
        Ok(Self(rdns))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The same attributes in one order, whichever they came in.
fn set(mut rdn: Vec<Attribute>) -> Vec<Attribute> {
    rdn.sort();
    rdn
}

impl Attribute {
    /// Of the object identifier and the value in DER, as a certificate holds them.
    pub fn of_der(oid: impl Into<String>, der: &[u8]) -> Self {
        Self { oid: oid.into(), value: Value::of_der(der) }
    }
}

impl Value {
    fn of_der(der: &[u8]) -> Self {
        text_of(der).map_or_else(|| Self::Der(der.to_vec()), Self::Text)
    }
}

/// The text of a string type (X.680 §8.6); `None` for other types, and for a value that is not of its type.
fn text_of(der: &[u8]) -> Option<String> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let content = match first.checked_sub(0x80) {
        None => rest.get(..usize::from(*first)).filter(|content| content.len() == rest.len())?,
        Some(bytes @ 1..=4) => {
            let (length, content) = rest.split_at_checked(usize::from(bytes))?;
            let length = length.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
            Some(content).filter(|content| content.len() == length)?
        }
        Some(_) => return None,
    };
    match tag {
        0x0C => String::from_utf8(content.to_vec()).ok(),
        // NumericString, PrintableString, TeletexString, IA5String, VisibleString; more than ASCII is Latin-1
        // to everybody who has put it there.
        0x12 | 0x13 | 0x14 | 0x16 | 0x1A => Some(content.iter().copied().map(char::from).collect()),
        0x1E => units(content)?.map(|[high, low]| char::from_u32(u32::from_be_bytes([0, 0, high, low]))).collect(),
        0x1C => units(content)?.map(|unit| char::from_u32(u32::from_be_bytes(unit))).collect(),
        _ => None,
    }
}

fn units<const N: usize>(content: &[u8]) -> Option<impl Iterator<Item = [u8; N]>> {
    let (units, rest) = content.as_chunks();
    rest.is_empty().then(|| units.iter().copied())
}

/// RFC 4514 §3: `attributeTypeAndValue`, up to the `,` or `+` behind it.
fn attribute(input: &mut Peekable<Bytes<'_>>) -> Result<Attribute, InvalidName> {
    let mut kind = Vec::new();
    while let Some(byte) = input.next_if(|byte| *byte != b'=' && !is_end(*byte)) {
        kind.push(byte);
    }
    input.next_if_eq(&b'=').ok_or(InvalidName::Untyped)?;
    let oid = oid_of(&String::from_utf8_lossy(&kind))?;
    let value = if input.next_if_eq(&b'#').is_some() { der(input)? } else { text(input)? };
    Ok(Attribute { oid, value })
}

fn oid_of(kind: &str) -> Result<String, InvalidName> {
    let is = |known: &&(&str, &str, &str)| known.1 == kind || known.2 == kind;
    // Names are without case (§3), but UID and uid are two things to those who print them.
    let is_like = |known: &&(&str, &str, &str)| [known.1, known.2].iter().any(|name| name.eq_ignore_ascii_case(kind));
    if let Some((oid, ..)) = TYPES.iter().find(is).or_else(|| TYPES.iter().find(is_like)) {
        return Ok((*oid).to_owned());
    }
    let arc = |arc: &str| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit());
    match kind {
        "" => Err(InvalidName::Untyped),
        _ if kind.trim() != kind => Err(InvalidName::Untyped),
        _ if kind.contains('.') && kind.split('.').all(arc) => Ok(kind.to_owned()),
        _ => Err(InvalidName::Type(kind.to_owned())),
    }
}

/// `hexstring`, behind its `#`.
fn der(input: &mut Peekable<Bytes<'_>>) -> Result<Value, InvalidName> {
    let mut der = Vec::new();
    while let Some(high) = input.next_if(|byte| !is_end(*byte)) {
        let low = input.next().ok_or(InvalidName::Hex)?;
        der.push(pair(high, low).ok_or(InvalidName::Hex)?);
    }
    if der.is_empty() { Err(InvalidName::Hex) } else { Ok(Value::of_der(&der)) }
}

/// `string`, without its escapes.
fn text(input: &mut Peekable<Bytes<'_>>) -> Result<Value, InvalidName> {
    let mut text = Vec::new();
    let mut ends_bare = false;
    while let Some(byte) = input.next_if(|byte| !is_end(*byte)) {
        ends_bare = byte == b' ';
        match byte {
            b'\\' => text.push(escaped(input).ok_or(InvalidName::Escape)?),
            b' ' if text.is_empty() => return Err(InvalidName::Bare),
            b'"' | b';' | b'<' | b'>' | 0 => return Err(InvalidName::Bare),
            byte => text.push(byte),
        }
    }
    if ends_bare {
        return Err(InvalidName::Bare);
    }
    String::from_utf8(text).map(Value::Text).map_err(|_| InvalidName::Utf8)
}

fn escaped(input: &mut Peekable<Bytes<'_>>) -> Option<u8> {
    let byte = input.next()?;
    if br##" "#+,;<=>\"##.contains(&byte) {
        return Some(byte);
    }
    pair(byte, input.next()?)
}

const fn is_end(byte: u8) -> bool {
    matches!(byte, b',' | b'+')
}

fn pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Attribute types by object identifier, short name and long name, as OpenSSL knows them: its short ones are
/// what it prints.
const TYPES: &[(&str, &str, &str)] = &[
    ("2.5.4.3", "CN", "commonName"),
    ("2.5.4.4", "SN", "surname"),
    ("2.5.4.5", "serialNumber", "serialNumber"),
    ("2.5.4.6", "C", "countryName"),
    ("2.5.4.7", "L", "localityName"),
    ("2.5.4.8", "ST", "stateOrProvinceName"),
    ("2.5.4.9", "street", "streetAddress"),
    ("2.5.4.10", "O", "organizationName"),
    ("2.5.4.11", "OU", "organizationalUnitName"),
    ("2.5.4.12", "title", "title"),
    ("2.5.4.13", "description", "description"),
    ("2.5.4.15", "businessCategory", "businessCategory"),
    ("2.5.4.16", "postalAddress", "postalAddress"),
    ("2.5.4.17", "postalCode", "postalCode"),
    ("2.5.4.18", "postOfficeBox", "postOfficeBox"),
    ("2.5.4.19", "physicalDeliveryOfficeName", "physicalDeliveryOfficeName"),
    ("2.5.4.20", "telephoneNumber", "telephoneNumber"),
    ("2.5.4.41", "name", "name"),
    ("2.5.4.42", "GN", "givenName"),
    ("2.5.4.43", "initials", "initials"),
    ("2.5.4.44", "generationQualifier", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier", "dnQualifier"),
    ("2.5.4.51", "houseIdentifier", "houseIdentifier"),
    ("2.5.4.54", "dmdName", "dmdName"),
    ("2.5.4.65", "pseudonym", "pseudonym"),
    ("2.5.4.72", "role", "role"),
    ("2.5.4.97", "organizationIdentifier", "organizationIdentifier"),
    ("2.5.4.100", "dnsName", "dnsName"),
    ("0.9.2342.19200300.100.1.1", "UID", "userId"),
    ("0.9.2342.19200300.100.1.3", "mail", "rfc822Mailbox"),
    ("0.9.2342.19200300.100.1.25", "DC", "domainComponent"),
    ("0.9.2342.19200300.100.1.44", "uid", "uniqueIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName", "unstructuredName"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress", "unstructuredAddress"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL", "jurisdictionLocalityName"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST", "jurisdictionStateOrProvinceName"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC", "jurisdictionCountryName"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What a certificate says: object identifier, and text as UTF8String.
    fn held(rdns: &[&[(&str, &str)]]) -> DistinguishedName {
        let attribute = |(oid, text): &(&str, &str)| {
            let length = u8::try_from(text.len()).unwrap();
            Attribute::of_der(*oid, &[&[0x0C, length], text.as_bytes()].concat())
        };
        DistinguishedName::of_certificate(rdns.iter().map(|rdn| rdn.iter().map(attribute).collect()))
    }

    #[test]
    fn a_line_is_the_name_that_it_writes() {
        type Rdn<'a> = &'a [(&'a str, &'a str)];
        let (cn, o, ou) = ("2.5.4.3", "2.5.4.10", "2.5.4.11");
        let cases: &[(&str, &[Rdn<'_>])] = &[
            ("", &[]),
            ("CN=", &[&[(cn, "")]]),
            ("CN=viewer", &[&[(cn, "viewer")]]),
            ("cn=viewer", &[&[(cn, "viewer")]]),
            ("commonName=viewer", &[&[(cn, "viewer")]]),
            ("2.5.4.3=viewer", &[&[(cn, "viewer")]]),
            ("CN=#0C0676696577657a", &[&[(cn, "viewez")]]),
            ("CN=viewer 1,O=Spital\\, Nord", &[&[(o, "Spital, Nord")], &[(cn, "viewer 1")]]),
            ("O=Spital Z\\C3\\BCrich", &[&[(o, "Spital Zürich")]]),
            ("O=Spital Zürich", &[&[(o, "Spital Zürich")]]),
            ("OU=radiology+CN=v4,O=H", &[&[(o, "H")], &[(cn, "v4"), (ou, "radiology")]]),
            ("CN=v4+OU=radiology,O=H", &[&[(o, "H")], &[(cn, "v4"), (ou, "radiology")]]),
            ("CN=\\ #a\\+b\\;c\\ ", &[&[(cn, " #a+b;c ")]]),
            ("CN=\\#a\\\\=\\22\\0A", &[&[(cn, "#a\\=\"\n")]]),
            ("postalCode=8000", &[&[("2.5.4.17", "8000")]]),
            ("organizationIdentifier=NTRCH-1", &[&[("2.5.4.97", "NTRCH-1")]]),
            (
                "uid=a,UID=b,Uid=c",
                &[
                    &[("0.9.2342.19200300.100.1.1", "c")],
                    &[("0.9.2342.19200300.100.1.1", "b")],
                    &[("0.9.2342.19200300.100.1.44", "a")],
                ],
            ),
        ];
        for (line, rdns) in cases {
            assert_eq!(DistinguishedName::parse(line), Ok(held(rdns)), "{line}");
        }
        assert_ne!(DistinguishedName::parse("CN=a,O=b"), DistinguishedName::parse("O=b,CN=a"));
        assert_ne!(DistinguishedName::parse("CN=a,O=b"), DistinguishedName::parse("CN=a+O=b"));
        assert_ne!(DistinguishedName::parse("CN=a"), DistinguishedName::parse("CN=A"));
    }

    #[test]
    fn what_is_no_line_says_why() {
        use InvalidName::{Bare, Escape, Hex, Type, Untyped, Utf8};
        let cases = [
            ("viewer", Untyped),
            ("CN=a,", Untyped),
            (",CN=a", Untyped),
            ("=a", Untyped),
            ("CN=a, O=b", Untyped),
            ("CN = a", Untyped),
            ("nonsense=a", Type("nonsense".into())),
            ("2..5=a", Type("2..5".into())),
            ("CN=a\\", Escape),
            ("CN=a\\C", Escape),
            ("CN=a\\x", Escape),
            ("CN= a", Bare),
            ("CN=a ,O=b", Bare),
            ("O=\"a\"", Bare),
            ("O=a;CN=b", Bare),
            ("CN=#", Hex),
            ("CN=#0", Hex),
            ("CN=#0x", Hex),
            ("CN=\\FC", Utf8),
        ];
        for (line, why) in cases {
            assert_eq!(DistinguishedName::parse(line), Err(why), "{line}");
        }
    }

    #[test]
    fn strings_of_every_type_are_the_text_that_they_hold() {
        let cases: &[(&[u8], &str)] = &[
            (&[0x13, 2, b'a', b'b'], "ab"),
            (&[0x16, 2, b'a', b'b'], "ab"),
            (&[0x14, 1, 0xFC], "ü"),
            (&[0x1E, 4, 0, 0xFC, 0x4E, 0x2D], "ü中"),
            (&[0x1C, 4, 0, 1, 0xF6, 0], "😀"),
            (&[0x0C, 0x81, 2, b'a', b'b'], "ab"),
        ];
        for (der, text) in cases {
            assert_eq!(Value::of_der(der), Value::Text((*text).into()), "{der:?}");
        }
        let others: &[&[u8]] = &[
            &[0x03, 2, 0, 1],
            &[0x0C, 1, 0xFF],
            &[0x0C, 2, b'a'],
            &[0x0C, 0x80, 0, 0],
            &[0x1E, 3, 0, 1, 0],
            &[0x1E, 2, 0xD8, 0],
            &[0x0C],
            &[],
        ];
        for der in others {
            assert_eq!(Value::of_der(der), Value::Der(der.to_vec()));
        }
        let bits = "x500UniqueIdentifier=#03020001";
        let of = |der: &[u8]| DistinguishedName::of_certificate([vec![Attribute::of_der("2.5.4.45", der)]]);
        assert_eq!(DistinguishedName::parse(bits), Ok(of(&[3, 2, 0, 1])));
    }
}
