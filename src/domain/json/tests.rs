use super::*;
use serde_json::json;

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn decimal_text_is_a_number_only_where_nothing_is_lost() {
    let numbers = [
        ("1.50", "1.50"),
        ("+1.5", "1.5"),
        ("007", "7"),
        ("-0", "-0"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1E5", "1e5"),
        ("1.25e-3", "1.25e-3"),
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("2147483647", "2147483647"),
        ("9007199254740993", ""),
        ("0.12345678901234567890", ""),
        ("1e400", ""),
        ("1e-400", ""),
        ("NaN", ""),
        ("inf", ""),
        ("1,5", ""),
        ("1e", ""),
        (".", ""),
        ("-", ""),
        ("0x10", ""),
        ("1 2", ""),
    ];
    for (text, expected) in numbers {
        assert_eq!(number::exact(text).unwrap_or_default(), expected, "{text:?}");
    }
}

#[test]
fn an_attribute_from_its_values() {
    let cases = [
        (
            VR::PN,
            Tag(0x0010, 0x0010),
            vec!["Yamada^Tarou=山田^太郎=やまだ^たろう"],
            json!({"vr":"PN","Value":[{"Alphabetic":"Yamada^Tarou","Ideographic":"山田^太郎","Phonetic":"やまだ^たろう"}]}),
        ),
        (VR::PN, Tag(0x0010, 0x0010), vec!["=山田"], json!({"vr":"PN","Value":[{"Ideographic":"山田"}]})),
        (VR::PN, Tag(0x0010, 0x0010), vec!["=="], json!({"vr":"PN"})),
        (VR::LO, Tag(0x0010, 0x0020), vec![], json!({"vr":"LO"})),
        (VR::LO, Tag(0x0010, 0x0020), vec![""], json!({"vr":"LO"})),
        (VR::CS, Tag(0x0008, 0x0008), vec!["ORIGINAL", "", "A"], json!({"vr":"CS","Value":["ORIGINAL",null,"A"]})),
        (VR::DS, Tag(0x0018, 0x0050), vec!["1.50"], json!({"vr":"DS","Value":[1.5]})),
        (VR::IS, Tag(0x0020, 0x0013), vec!["12"], json!({"vr":"IS","Value":[12]})),
        (VR::IS, Tag(0x0020, 0x0013), vec!["twelve"], json!({"vr":"IS","Value":["twelve"]})),
        (VR::US, Tag(0x0028, 0x0010), vec!["512"], json!({"vr":"US","Value":[512]})),
        (VR::CS, SPECIFIC_CHARACTER_SET, vec!["ISO_IR 100"], json!({"vr":"CS","Value":["ISO_IR 192"]})),
    ];
    for (vr, tag, values, expected) in cases {
        assert_eq!(element(vr, tag, &strings(&values)), expected, "{tag} {values:?}");
    }
}

fn written(vr: VR, bytes: &[u8], big_endian: bool) -> Value {
    let mut out = b"{".to_vec();
    write(&mut out, vr, bytes, big_endian, &decode(&Charset::default(), vr, bytes));
    out.push(b'}');
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn binary_values_in_both_byte_orders() {
    let cases: [(VR, &[u8], bool, Value); 15] = [
        (VR::US, &[1, 0, 0, 2], false, json!({"vr":"US","Value":[1,512]})),
        (VR::US, &[1, 0, 0, 2], true, json!({"vr":"US","Value":[256,2]})),
        (VR::SS, &[0xFF, 0xFF], false, json!({"vr":"SS","Value":[-1]})),
        (VR::SL, &[0xFF, 0xFF, 0xFF, 0xFE], true, json!({"vr":"SL","Value":[-2]})),
        (VR::US, &[1, 0, 0], false, json!({"vr":"UN","InlineBinary":"AQAA"})),
        (VR::AT, &[0x10, 0, 0x20, 0], false, json!({"vr":"AT","Value":["00100020"]})),
        (VR::AT, &[0x7F, 0xE0, 0, 0x10], true, json!({"vr":"AT","Value":["7FE00010"]})),
        (VR::FL, &[0, 0, 0xC0, 0x7F], false, json!({"vr":"FL","Value":[null]})),
        (VR::FD, &1.5f64.to_be_bytes(), true, json!({"vr":"FD","Value":[1.5]})),
        (VR::FD, &f64::INFINITY.to_le_bytes(), false, json!({"vr":"FD","Value":[null]})),
        (VR::UV, &u64::MAX.to_le_bytes(), false, json!({"vr":"UV","Value":["18446744073709551615"]})),
        (VR::SV, &(-5i64).to_le_bytes(), false, json!({"vr":"SV","Value":[-5]})),
        (VR::OW, &[1, 2, 3, 4], true, json!({"vr":"OW","InlineBinary":"AgEEAw=="})),
        (VR::OB, &[1, 2, 3], true, json!({"vr":"OB","InlineBinary":"AQID"})),
        (VR::OB, &[], true, json!({"vr":"OB"})),
    ];
    for (vr, bytes, big_endian, expected) in cases {
        assert_eq!(written(vr, bytes, big_endian), expected, "{vr:?} {bytes:?}");
    }
}

#[test]
fn any_character_is_written_as_valid_json() {
    let nasty = "a\"b\\c\u{1}\u{1b}\n\t\u{2028}\u{7f}é";
    let mut out = Vec::new();
    quote(&mut out, nasty);
    assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), nasty);
}
