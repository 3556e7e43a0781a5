//! A structured report as a page (PS3.3 §C.17.3): its content tree in nested lists, from the stored JSON.
//! Every value is a stranger's: nothing of it becomes markup.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Items beyond which a page ends with a sentence.
const ITEMS_MAX: usize = 20_000;
/// Lists within lists; what is nested deeper stands in the innermost.
const NESTED_MAX: usize = 24;
/// Numbers of one graphic that are written out.
const NUMBERS_MAX: usize = 60;
/// Referenced Content Item Identifier (0040,DB73): which item, by its place.
const REFERENCED: &str = "0040DB73";
/// Then items show their places too: the root is 1, its first child 1.1 (PS3.3 §C.17.3.2.4).
const NUMBERED: &str = "ul{counter-reset:i;list-style:none}li{counter-increment:i}\
                        li::before{content:'1.' counters(i,'.') ' ';color:#999}";

/// The page, or `None` for an object that holds no content tree.
pub fn page(json: &[u8]) -> Option<String> {
    let json = std::str::from_utf8(json).ok()?;
    let root = Item::read(json)?;
    let object = &root.attributes;
    text(object, "0040A040")?;
    let title = coded(object, "0040A043").unwrap_or_else(|| "Report".into());
    let mut page = String::from("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>");
    escape(&mut page, &title);
    page.push_str("</title><style>body{font-family:sans-serif;max-width:50em;margin:2em auto;padding:0 1em}");
    page.push_str("li{margin:.3em 0}.name{color:#555}");
    page.push_str(if json.contains(REFERENCED) { NUMBERED } else { "" });
    page.push_str("</style></head><body><h1>");
    escape(&mut page, &title);
    page.push_str("</h1><dl>");
    for (tag, name) in [
        ("00100010", "Patient"),
        ("00100020", "Patient ID"),
        ("00080020", "Study date"),
        ("00081030", "Study"),
        ("0040A491", "Completion"),
        ("0040A493", "Verification"),
    ] {
        if let Some(value) = text(object, tag) {
            let _ = write!(page, "<dt class=\"name\">{name}</dt><dd>");
            escape(&mut page, value);
            page.push_str("</dd>");
        }
    }
    page.push_str("</dl>");
    if !list(&mut page, root.children) {
        page.push_str("<p>The report is longer than this page; its metadata has it whole.</p>");
    }
    page.push_str("</body></html>\n");
    Some(page)
}

/// One item of the tree, its children unread: a container is three levels of JSON, and the reader gives up at 128.
struct Item<'a> {
    attributes: Value,
    /// Measured Value Sequence (0040,A300), in which a number keeps its text.
    measured: Vec<Measured<'a>>,
    children: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Sequence<T> {
    #[serde(rename = "Value", default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Measured<'a> {
    #[serde(rename = "0040A30A", borrow)]
    number: Option<Sequence<&'a RawValue>>,
    #[serde(rename = "004008EA")]
    units: Option<Value>,
}

impl<'a> Item<'a> {
    fn read(json: &'a str) -> Option<Self> {
        let mut members: BTreeMap<String, &'a RawValue> = serde_json::from_str(json).ok()?;
        let children = members.remove("0040A730").and_then(|raw| serde_json::from_str(raw.get()).ok());
        let measured = members.remove("0040A300").and_then(|raw| serde_json::from_str(raw.get()).ok());
        let read = members.into_iter().filter_map(|(tag, raw)| Some((tag, serde_json::from_str(raw.get()).ok()?)));
        Some(Self {
            attributes: Value::Object(read.collect::<Map<_, _>>()),
            measured: measured.map_or_else(Vec::new, |sequence: Sequence<_>| sequence.items),
            children: children.map_or_else(Vec::new, |sequence: Sequence<_>| sequence.items),
        })
    }
}

/// The children of an item and theirs, as nested lists; `false` when there are too many.
fn list(page: &mut String, children: Vec<&RawValue>) -> bool {
    let mut left = ITEMS_MAX;
    if children.is_empty() {
        return true;
    }
    // How each level ends.
    let mut levels = vec![(children.into_iter(), "</ul>")];
    page.push_str("<ul>");
    while let Some((items, end)) = levels.last_mut() {
        let Some(raw) = items.next().filter(|_| left > 0) else {
            page.push_str(end);
            levels.pop();
            continue;
        };
        left -= 1;
        let Some(item) = Item::read(raw.get()) else { continue };
        page.push_str("<li>");
        if let Some(name) = coded(&item.attributes, "0040A043") {
            page.push_str("<span class=\"name\">");
            escape(page, &name);
            page.push_str(":</span> ");
        }
        value(page, &item);
        if item.children.is_empty() {
            page.push_str("</li>");
        } else if levels.len() < NESTED_MAX {
            page.push_str("<ul>");
            levels.push((item.children.into_iter(), "</ul></li>"));
        } else {
            page.push_str("</li>");
            levels.push((item.children.into_iter(), ""));
        }
    }
    left > 0
}

fn value(page: &mut String, item: &Item) {
    let Item { attributes, measured, .. } = item;
    let mut plain = |tag| escape(page, text(attributes, tag).unwrap_or_default());
    match text(attributes, "0040A040").unwrap_or_default() {
        "TEXT" => long(page, attributes, "0040A160"),
        "CODE" => escape(page, &coded(attributes, "0040A168").unwrap_or_default()),
        "NUM" => {
            measured.iter().for_each(|measured| number(page, measured));
            // Why there is no number, or what is special about it.
            if let Some(qualifier) = coded(attributes, "0040A301") {
                page.push_str(" (");
                escape(page, &qualifier);
                page.push(')');
            }
        }
        "PNAME" => plain("0040A123"),
        "DATE" => plain("0040A121"),
        "TIME" => plain("0040A122"),
        "DATETIME" => plain("0040A120"),
        "UIDREF" => plain("0040A124"),
        "IMAGE" | "COMPOSITE" | "WAVEFORM" => {
            for referenced in items(attributes, "00081199") {
                page.push_str("instance ");
                escape(page, text(referenced, "00081155").unwrap_or_default());
                labelled(page, " frame ", &numbers(referenced, "00081160"));
            }
        }
        "SCOORD" => graphic(page, attributes, 2),
        "SCOORD3D" => graphic(page, attributes, 3),
        "TCOORD" => {
            plain("0040A130");
            labelled(page, " sample ", &numbers(attributes, "0040A132"));
            labelled(page, " offset in s ", &numbers(attributes, "0040A138"));
            labelled(page, " at ", &numbers(attributes, "0040A13A"));
        }
        // An item of this report, by reference.
        _ => match numbers(attributes, REFERENCED) {
            place if place.is_empty() => {}
            place => {
                page.push_str("see item ");
                escape(page, &place.join("."));
            }
        },
    }
}

/// Numeric Value (0040,A30A) as it was written, and its unit, unless that is UCUM's 1.
fn number(page: &mut String, measured: &Measured) {
    if let Some(raw) = measured.number.as_ref().and_then(|number| number.items.first()) {
        match serde_json::from_str(raw.get()) {
            Ok(Value::Number(_)) => escape(page, raw.get()),
            Ok(Value::String(number)) => escape(page, &number),
            _ => {}
        }
    }
    let units: Option<Sequence<Value>> = measured.units.clone().and_then(|units| serde_json::from_value(units).ok());
    let unit = units.as_ref().and_then(|units| units.items.first());
    let unit = unit.and_then(|unit| text(unit, "00080100").or_else(|| text(unit, "00080104")));
    if let Some(unit) = unit.filter(|unit| *unit != "1") {
        page.push(' ');
        escape(page, unit);
    }
}

/// Graphic Type (0070,0023) and the points of Graphic Data (0070,0022).
fn graphic(page: &mut String, item: &Value, dimensions: usize) {
    escape(page, text(item, "00700023").unwrap_or_default());
    let data = numbers(item, "00700022");
    for point in data.chunks(dimensions) {
        page.push_str(" (");
        escape(page, &point.join(", "));
        page.push(')');
    }
    if data.is_empty() && is_elsewhere(item, "00700022") {
        page.push_str(" (many points, in the bulk data)");
    }
}

/// Numbers of a value of any VR as text; no more than are read.
fn numbers(item: &Value, tag: &str) -> Vec<String> {
    let values = item.get(tag).and_then(|element| element.get("Value")).and_then(Value::as_array);
    let count = values.map_or(0, Vec::len);
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut numbers: Vec<String> = values.into_iter().flatten().take(NUMBERS_MAX).filter_map(text).collect();
    if count > NUMBERS_MAX {
        numbers.push("\u{2026}".into());
    }
    numbers
}

fn labelled(page: &mut String, label: &str, numbers: &[String]) {
    if !numbers.is_empty() {
        page.push_str(label);
        escape(page, &numbers.join(", "));
    }
}

fn long(page: &mut String, item: &Value, tag: &str) {
    match text(item, tag) {
        Some(text) => escape(page, text),
        None if is_elsewhere(item, tag) => {
            page.push_str("(a long text, in the bulk data)");
        }
        None => {}
    }
}

fn is_elsewhere(item: &Value, tag: &str) -> bool {
    item.get(tag).is_some_and(|element| element.get("BulkDataURI").is_some())
}

fn first<'a>(item: &'a Value, tag: &str) -> Option<&'a Value> {
    item.get(tag)?.get("Value")?.as_array()?.first()
}

/// The first value as text; of a name, its first group.
fn text<'a>(item: &'a Value, tag: &str) -> Option<&'a str> {
    match first(item, tag)? {
        Value::String(text) => Some(text),
        name => ["Alphabetic", "Ideographic", "Phonetic"].iter().find_map(|group| name.get(group)?.as_str()),
    }
}

fn items<'a>(item: &'a Value, tag: &str) -> Vec<&'a Value> {
    let values = item.get(tag).and_then(|element| element.get("Value")).and_then(Value::as_array);
    values.into_iter().flatten().collect()
}

/// Code Meaning of the first item of a code sequence, else the code and its scheme (PS3.3 §8).
fn coded(item: &Value, tag: &str) -> Option<String> {
    let code = *items(item, tag).first()?;
    let given = |tag| text(code, tag).filter(|text| !text.trim().is_empty());
    if let Some(meaning) = given("00080104") {
        return Some(meaning.to_owned());
    }
    let value = ["00080100", "00080119", "00080120"].into_iter().find_map(given)?;
    Some(given("00080102").map_or_else(|| value.to_owned(), |scheme| format!("{value} ({scheme})")))
}

fn escape(page: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '&' => page.push_str("&amp;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            '\n' => page.push_str("<br>"),
            other => page.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_a_page_and_values_never_markup() {
        let json = r#"{"0040A040":{"Value":["CONTAINER"]},
          "0040A043":{"Value":[{"00080104":{"Value":["CT <Report>"]}}]},
          "00100010":{"Value":[{"Alphabetic":"A^B"}]},
          "0040A730":{"Value":[
            {"0040A040":{"Value":["TEXT"]},"0040A043":{"Value":[{"00080104":{"Value":["Finding"]}}]},
             "0040A160":{"Value":["<script>alert('x')</script>"]}},
            {"0040A040":{"Value":["NUM"]},"0040A043":{"Value":[{"00080104":{"Value":["Length"]}}]},
             "0040A300":{"Value":[{"0040A30A":{"Value":[12.5]},"004008EA":{"Value":[{"00080100":{"Value":["mm"]}}]}}]},
             "0040A730":{"Value":[{"0040A040":{"Value":["CODE"]},
               "0040A168":{"Value":[{"00080104":{"Value":["Left"]}}]}}]}}]}}"#;
        let page = page(json.as_bytes()).unwrap();
        assert!(page.contains("<h1>CT &lt;Report&gt;</h1>") && page.contains("<dd>A^B</dd>"));
        assert!(page.contains("Finding:</span> &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</li>"));
        assert!(page.contains("Length:</span> 12.5 mm<ul><li>Left</li></ul>"));
        assert!(!page.contains("<script"));
    }

    fn item(members: &str) -> String {
        let json = format!(r#"{{"0040A040":{{"Value":["CONTAINER"]}},"0040A730":{{"Value":[{{{members}}}]}}}}"#);
        let page = page(json.as_bytes()).unwrap();
        let (_, list) = page.split_once("<ul>").unwrap();
        list.split_once("</ul>").unwrap().0.replace("<li>", "").replace("</li>", "")
    }

    #[test]
    fn every_kind_of_item_has_words() {
        let kind = |kind: &str, rest: &str| item(&format!(r#""0040A040":{{"Value":["{kind}"]}},{rest}"#));
        let measured = |number: &str, unit: &str| {
            kind(
                "NUM",
                &format!(
                    r#""0040A300":{{"Value":[{{"0040A30A":{{"Value":[{number}]}},
                       "004008EA":{{"Value":[{{"00080100":{{"Value":["{unit}"]}}}}]}}}}]}}"#
                ),
            )
        };
        assert_eq!(measured("12.50", "mm"), "12.50 mm");
        assert_eq!(measured("\"+3\"", "1"), "+3");
        let not_a_number = r#""0040A300":{"vr":"SQ"},"0040A301":{"Value":[{"00080104":{"Value":["Not a number"]}}]}"#;
        assert_eq!(kind("NUM", not_a_number), " (Not a number)");
        let polyline = r#""00700023":{"Value":["POLYLINE"]},"00700022":{"Value":[1.5,2,3,4]}"#;
        assert_eq!(kind("SCOORD", polyline), "POLYLINE (1.5, 2) (3, 4)");
        assert_eq!(
            kind("SCOORD3D", r#""00700023":{"Value":["POINT"]},"00700022":{"Value":[1,2,3]}"#),
            "POINT (1, 2, 3)"
        );
        let many = format!(r#""00700022":{{"Value":[{}0]}}"#, "0,".repeat(5000));
        assert!(kind("SCOORD", &many).len() < 1000);
        let times = r#""0040A130":{"Value":["POINT"]},"0040A138":{"Value":["12.50"]}"#;
        assert_eq!(kind("TCOORD", times), "POINT offset in s 12.50");
        let code = r#""0040A168":{"Value":[{"00080100":{"Value":["X9"]},"00080102":{"Value":["99<"]}}]}"#;
        assert_eq!(kind("CODE", code), "X9 (99&lt;)");
        let frames = r#""00081199":{"Value":[{"00081155":{"Value":["1.2"]},"00081160":{"Value":[3,4]}}]}"#;
        assert_eq!(kind("IMAGE", frames), "instance 1.2 frame 3, 4");
        assert_eq!(item(r#""0040A010":{"Value":["INFERRED FROM"]},"0040DB73":{"Value":[1,2]}"#), "see item 1.2");
    }

    #[test]
    fn containers_nested_deeply_are_flattened_and_their_leaves_are_there() {
        for depth in [1, 24, 25, 60, 500] {
            let open = r#"{"0040A040":{"Value":["CONTAINER"]},"0040A730":{"Value":["#;
            let leaf = r#"{"0040A040":{"Value":["TEXT"]},"0040A160":{"Value":["LEAF"]}}"#;
            let json = format!("{}{leaf},{leaf}{}", open.repeat(depth), "]}}".repeat(depth));
            let page = page(json.as_bytes()).unwrap();
            assert_eq!(page.matches("LEAF").count(), 2, "{depth}");
            for (open, close) in [("<ul>", "</ul>"), ("<li>", "</li>")] {
                assert_eq!(page.matches(open).count(), page.matches(close).count(), "{depth}");
            }
            assert!(page.matches("<ul>").count() <= NESTED_MAX);
        }
    }

    #[test]
    fn a_page_that_is_too_long_says_so() {
        let items = r#"{"0040A040":{"Value":["TEXT"]}},"#.repeat(ITEMS_MAX);
        let json = format!(r#"{{"0040A040":{{"Value":["CONTAINER"]}},"0040A730":{{"Value":[{items}{{}}]}}}}"#);
        assert!(page(json.as_bytes()).unwrap().contains("longer than this page"));
    }

    #[test]
    fn what_is_no_report_has_no_page() {
        for json in ["{}", "[]", "", r#"{"0040A040":{"Value":[]}}"#, r#"{"0040A040":5}"#] {
            assert_eq!(page(json.as_bytes()), None, "{json}");
        }
    }
}
