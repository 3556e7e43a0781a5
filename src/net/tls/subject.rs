//! The subject of a certificate, as a name that can be compared with one that was written down.

use crate::domain::distinguished_name::{Attribute, DistinguishedName};
use x509_parser::asn1_rs::ToDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The subject of a certificate in DER; `None` for one that cannot be read.
pub(super) fn subject(der: &[u8]) -> Option<DistinguishedName> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut rdns = Vec::new();
    for rdn in certificate.subject().iter_rdn() {
        let attribute = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            let value = attribute.attr_value().to_der_vec().ok()?;
            Some(Attribute::of_der(attribute.attr_type().to_id_string(), &value))
        };
        rdns.push(rdn.iter().map(attribute).collect::<Option<Vec<_>>>()?);
    }
    Some(DistinguishedName::of_certificate(rdns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    fn of(parts: &[(DnType, DnValue)]) -> DistinguishedName {
        let mut params = CertificateParams::default();
        let mut name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            name.push(kind.clone(), value.clone());
        }
        params.distinguished_name = name;
        let key = KeyPair::generate().unwrap();
        subject(params.self_signed(&key).unwrap().der()).unwrap()
    }

    /// The lines are what `openssl x509 -noout -subject -nameopt RFC2253` prints.
    #[test]
    fn a_subject_is_the_name_that_openssl_writes() {
        use DnType::{CommonName, CountryName, CustomDnType, OrganizationName};
        let text = |text: &str| DnValue::Utf8String(text.to_owned());
        let bmp = DnValue::BmpString("Zürich".parse().unwrap());
        let cases: &[(&[(DnType, DnValue)], &str)] = &[
            (&[(CommonName, text("viewer"))], "CN=viewer"),
            (
                &[
                    (CountryName, DnValue::PrintableString("CH".parse().unwrap())),
                    (OrganizationName, text("Spital, Nord")),
                    (CommonName, text("viewer 1")),
                ],
                "CN=viewer 1,O=Spital\\, Nord,C=CH",
            ),
            (&[(CommonName, text(" #a+b;c "))], "CN=\\ #a\\+b\\;c\\ "),
            (&[(CommonName, text("#a\\"))], "CN=\\#a\\\\"),
            (&[(CommonName, text("Zürich"))], "CN=Z\\C3\\BCrich"),
            (&[(CommonName, bmp)], "CN=Z\\C3\\BCrich"),
            (&[(CustomDnType(vec![2, 5, 4, 17]), text("8000"))], "postalCode=8000"),
            (&[(CustomDnType(vec![1, 3, 6, 1, 4, 1, 99999, 1]), text("ab"))], "1.3.6.1.4.1.99999.1=#0C026162"),
            (&[], ""),
        ];
        for (parts, line) in cases {
            assert_eq!(Ok(of(parts)), DistinguishedName::parse(line), "{line}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_subject() {
        assert_eq!(subject(b""), None);
        assert_eq!(subject(&[0x30, 0x82, 0xFF, 0xFF, 0x30]), None);
    }
}
