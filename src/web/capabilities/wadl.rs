//! `openapi.json` as WADL (W3C Member Submission, 31 August 2009), which PS3.18 §8.9.3 asks for.

use crate::web::api::openapi::DOCUMENT;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::sync::LazyLock;

/// The document, read once.
static API: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(DOCUMENT).unwrap_or(Value::Null));

/// Everything below `root`, with addresses relative to `base`. `None` when the document is not one.
pub fn wadl(root: &str, base: &str) -> Option<String> {
    let paths = API.get("paths")?.as_object()?;
    let mut out = String::with_capacity(64 << 10);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(
        "<application xmlns=\"http://wadl.dev.java.net/2009/02\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">\n",
    );
    let _ = writeln!(out, "<resources base=\"{}\">", escaped(base));
    for (path, methods) in paths {
        let Some(relative) = path.strip_prefix(root).and_then(|path| path.strip_prefix('/')) else { continue };
        resource(&mut out, relative, methods.as_object()?);
    }
    out.push_str("</resources>\n</application>\n");
    Some(out)
}

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "options"];

fn resource(out: &mut String, path: &str, methods: &Map<String, Value>) {
    let _ = writeln!(out, "<resource path=\"{}\">", escaped(path));
    let shared: Vec<&Value> = list(methods.get("parameters")).collect();
    let operations = || methods.iter().filter(|(name, _)| METHODS.contains(&name.as_str()));
    let mut templates: Vec<&str> = Vec::new();
    let all = shared.iter().copied().chain(operations().flat_map(|(_, operation)| list(operation.get("parameters"))));
    for parameter in all.map(resolved) {
        if text(parameter, "in") == "path" && !templates.contains(&text(parameter, "name")) {
            templates.push(text(parameter, "name"));
            param(out, parameter, "template");
        }
    }
    for (name, operation) in operations() {
        let _ = writeln!(out, "<method name=\"{}\">", name.to_ascii_uppercase());
        let _ = writeln!(out, "<doc>{}</doc>", escaped(text(operation, "summary")));
        out.push_str("<request>\n");
        for parameter in shared.iter().copied().chain(list(operation.get("parameters"))).map(resolved) {
            match text(parameter, "in") {
                "query" => param(out, parameter, "query"),
                "header" => param(out, parameter, "header"),
                _ => {}
            }
        }
        operation.get("requestBody").map(resolved).into_iter().for_each(|body| representations(out, body));
        out.push_str("</request>\n");
        for (status, response) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
            let status = if status == "default" { String::new() } else { format!(" status=\"{}\"", escaped(status)) };
            let _ = writeln!(out, "<response{status}>");
            representations(out, resolved(response));
            out.push_str("</response>\n");
        }
        out.push_str("</method>\n");
    }
    out.push_str("</resource>\n");
}

fn param(out: &mut String, parameter: &Value, style: &str) {
    let schema = parameter.get("schema").map_or(&Value::Null, resolved);
    let kind = match text(schema, "type") {
        "integer" => "xs:integer",
        "number" => "xs:decimal",
        "boolean" => "xs:boolean",
        _ => "xs:string",
    };
    let required = parameter.get("required").and_then(Value::as_bool).unwrap_or(false);
    let name = escaped(text(parameter, "name"));
    let _ = writeln!(out, "<param name=\"{name}\" style=\"{style}\" type=\"{kind}\" required=\"{required}\"/>");
}

fn representations(out: &mut String, of: &Value) {
    for media in of.get("content").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        let _ = writeln!(out, "<representation mediaType=\"{}\"/>", escaped(media));
    }
}

fn list(of: Option<&Value>) -> impl Iterator<Item = &Value> {
    of.and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What a `$ref` into the document stands for.
fn resolved(value: &Value) -> &Value {
    let pointed = text(value, "$ref").strip_prefix('#').and_then(|pointer| API.pointer(pointer));
    pointed.unwrap_or(value)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
