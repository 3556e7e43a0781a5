//! A structured report as a page (PS3.3 §C.17.3): its content tree in nested lists, from the stored JSON.
//! Every value is a stranger's: nothing of it becomes markup.

use serde_json::Value;
use std::fmt::Write;

/// Items beyond which a page ends with a sentence.
const ITEMS_MAX: usize = 20_000;

/// The page, or `None` for an object that holds no content tree.
pub fn page(json: &[u8]) -> Option<String> {
    let object: Value = serde_json::from_slice(json).ok()?;
    text(&object, "0040A040")?;
    let title = meaning(&object, "0040A043").unwrap_or("Report");
    let mut page = String::from("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>");
    escape(&mut page, title);
    page.push_str("</title><style>body{font-family:sans-serif;max-width:50em;margin:2em auto;padding:0 1em}");
    page.push_str("li{margin:.3em 0}.name{color:#555}</style></head><body><h1>");
    escape(&mut page, title);
    page.push_str("</h1><dl>");
    for (tag, name) in [
        ("00100010", "Patient"),
        ("00100020", "Patient ID"),
        ("00080020", "Study date"),
        ("00081030", "Study"),
        ("0040A491", "Completion"),
        ("0040A493", "Verification"),
    ] {
        if let Some(value) = text(&object, tag) {
            let _ = write!(page, "<dt class=\"name\">{name}</dt><dd>");
            escape(&mut page, value);
            page.push_str("</dd>");
        }
    }
    page.push_str("</dl>");
    let mut left = ITEMS_MAX;
    list(&mut page, &object, &mut left);
    if left == 0 {
        page.push_str("<p>The report is longer than this page; its metadata has it whole.</p>");
    }
    page.push_str("</body></html>\n");
    Some(page)
}

/// The children of an item. Depth is bounded: the JSON reader refuses more than 128 levels.
fn list(page: &mut String, item: &Value, left: &mut usize) {
    let children = items(item, "0040A730");
    if children.is_empty() {
        return;
    }
    page.push_str("<ul>");
    for child in children {
        if *left == 0 {
            break;
        }
        *left -= 1;
        page.push_str("<li>");
        if let Some(name) = meaning(child, "0040A043") {
            page.push_str("<span class=\"name\">");
            escape(page, name);
            page.push_str(":</span> ");
        }
        value(page, child);
        list(page, child, left);
        page.push_str("</li>");
    }
    page.push_str("</ul>");
}

fn value(page: &mut String, item: &Value) {
    match text(item, "0040A040").unwrap_or_default() {
        "TEXT" => long(page, item, "0040A160"),
        "CODE" => escape(page, meaning(item, "0040A168").unwrap_or_default()),
        "NUM" => {
            for measured in items(item, "0040A300") {
                match first(measured, "0040A30A") {
                    Some(Value::Number(number)) => {
                        let _ = write!(page, "{number}");
                    }
                    Some(Value::String(number)) => escape(page, number),
                    _ => {}
                }
                page.push(' ');
                let units = items(measured, "004008EA");
                escape(page, units.first().and_then(|unit| text(unit, "00080100")).unwrap_or_default());
            }
        }
        "PNAME" => escape(page, text(item, "0040A123").unwrap_or_default()),
        "DATE" => escape(page, text(item, "0040A121").unwrap_or_default()),
        "TIME" => escape(page, text(item, "0040A122").unwrap_or_default()),
        "DATETIME" => escape(page, text(item, "0040A120").unwrap_or_default()),
        "UIDREF" => escape(page, text(item, "0040A124").unwrap_or_default()),
        "IMAGE" | "COMPOSITE" | "WAVEFORM" => {
            for referenced in items(item, "00081199") {
                page.push_str("instance ");
                escape(page, text(referenced, "00081155").unwrap_or_default());
            }
        }
        _ => {}
    }
}

fn long(page: &mut String, item: &Value, tag: &str) {
    match text(item, tag) {
        Some(text) => escape(page, text),
        None if item.get(tag).is_some_and(|element| element.get("BulkDataURI").is_some()) => {
            page.push_str("(a long text, in the bulk data)");
        }
        None => {}
    }
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

/// Code Meaning of the first item of a code sequence.
fn meaning<'a>(item: &'a Value, tag: &str) -> Option<&'a str> {
    text(items(item, tag).first()?, "00080104")
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

    #[test]
    fn what_is_no_report_has_no_page() {
        for json in ["{}", "[]", "", r#"{"0040A040":{"Value":[]}}"#, r#"{"0040A040":5}"#] {
            assert_eq!(page(json.as_bytes()), None, "{json}");
        }
    }
}
