//! One key of a query as SQL (PS3.4 §C.2.2.2). Columns come from a closed list, values are always bound,
//! and a `%` or `_` in a value stands for itself.

use super::IndexError;
use super::columns;
use super::engine;
use crate::domain::attributes::Attribute;
use crate::domain::level::Level;
use crate::domain::person_name;
use crate::domain::query::Match;
use dicom_core::VR;
use sqlx::{QueryBuilder, Sqlite};

pub(super) type Sql = QueryBuilder<Sqlite>;

/// Behind every value that is written with less precision: `1059` up to `105959.999999`.
const END_OF_PRECISION: char = '\u{7f}';

/// Appends the condition that `attribute` matches `rule`. Nothing is appended for a universal match.
pub(super) fn push(sql: &mut Sql, attribute: &Attribute, rule: &Match, fuzzy: bool) -> Result<(), IndexError> {
    if *rule == Match::Universal {
        return Ok(());
    }
    sql.push(" AND (");
    match columns::column(attribute.tag) {
        Some(column) if columns::is_number(attribute.tag) => push_number(sql, column, rule),
        Some(column) if columns::is_list(attribute.tag) => push_list(sql, column, attribute.vr, rule),
        Some(column) => push_value(sql, column, attribute.vr, rule, fuzzy),
        None => push_json(sql, attribute, rule, fuzzy),
    }
    sql.push(")");
    Ok(())
}

fn push_value(sql: &mut Sql, value: &str, vr: VR, rule: &Match, fuzzy: bool) {
    match rule {
        Match::Universal => {
            sql.push("1");
        }
        Match::Single(single) if vr == VR::PN && fuzzy => push_words(sql, value, single),
        Match::Wildcard(pattern) if vr == VR::PN && fuzzy => push_words(sql, value, pattern),
        Match::Single(single) if vr == VR::PN => push_name(sql, value, &person_name::fold(single), false),
        Match::Wildcard(pattern) if vr == VR::PN => push_name(sql, value, &person_name::fold(pattern), true),
        // A time or date and time is matched as precisely as the key says it (PS3.4 §C.2.2.2.1).
        Match::Single(single) if matches!(vr, VR::TM | VR::DT) => {
            push_range(sql, value, vr, Some(single), Some(single))
        }
        Match::Single(single) => {
            sql.push(value).push(" = ").push_bind(columns::matched_form(vr, single));
        }
        Match::Wildcard(pattern) => engine::push_wildcard(sql, value, pattern),
        Match::Range { from, to } => push_range(sql, value, vr, from.as_deref(), to.as_deref()),
        Match::UidList(uids) => push_any_of(sql, value, uids),
    }
}

fn push_any_of(sql: &mut Sql, value: &str, uids: &[String]) {
    sql.push(value).push(" IN (");
    let mut list = sql.separated(", ");
    for uid in uids {
        list.push_bind(uid.clone());
    }
    sql.push(")");
}

/// Text order is the order of dates and times; an absent value is in no range.
fn push_range(sql: &mut Sql, value: &str, vr: VR, from: Option<&str>, to: Option<&str>) {
    sql.push(value).push(" > ''");
    if let Some(from) = from {
        sql.push(" AND ").push(value).push(" >= ").push_bind(columns::least_form(vr, from));
    }
    if let Some(to) = to {
        let mut to = columns::matched_form(vr, to);
        to.push(END_OF_PRECISION);
        sql.push(" AND ").push(value).push(" <= ").push_bind(to);
    }
}

/// A folded name matches as a whole or in one of its component groups.
fn push_name(sql: &mut Sql, value: &str, folded: &str, wildcard: bool) {
    if wildcard {
        engine::push_wildcard(sql, value, folded);
        sql.push(" OR (instr(").push(value).push(", '=') > 0 AND ");
        engine::push_wildcard(sql, &format!("('=' || {value} || '=')"), &format!("*={folded}=*"));
        sql.push(")");
    } else {
        sql.push(value).push(" = ").push_bind(folded.to_owned());
        sql.push(" OR instr('=' || ").push(value).push(" || '=', ").push_bind(format!("={folded}=")).push(") > 0");
    }
}

/// The words of a fuzzy match: folded, without separators and wildcards.
pub(super) fn words(name: &str) -> Vec<String> {
    let folded = person_name::fold(name);
    let word = |word: &str| word.chars().filter(|c| !matches!(c, '*' | '?')).collect::<String>();
    folded.split([' ', '^', '=', '-', ',']).map(word).filter(|word| !word.is_empty()).collect()
}

/// Every word begins a word of the name, in any order (PS3.18 §8.3.4.2 leaves the rule to us).
fn push_words(sql: &mut Sql, value: &str, name: &str) {
    sql.push("1");
    for word in words(name) {
        sql.push(" AND instr(' ' || replace(replace(replace(replace(").push(value);
        sql.push(", '^', ' '), '=', ' '), '-', ' '), ',', ' '), ").push_bind(format!(" {word}")).push(") > 0");
    }
}

fn push_number(sql: &mut Sql, column: &str, rule: &Match) {
    let number = |text: &String| text.trim().parse::<i32>().ok();
    let numbers: Vec<Option<i32>> = match rule {
        Match::Single(single) => vec![number(single)],
        Match::UidList(list) => list.iter().map(number).collect(),
        // Wildcards and ranges are not defined for numbers (PS3.4 §C.2.2.2.4): matched as text.
        Match::Wildcard(pattern) => {
            engine::push_wildcard(sql, &format!("CAST({column} AS TEXT)"), pattern);
            return;
        }
        Match::Universal | Match::Range { .. } => Vec::new(),
    };
    sql.push(column).push(" IN (");
    let mut list = sql.separated(", ");
    for number in numbers.into_iter().flatten() {
        list.push_bind(number);
    }
    sql.push(")");
}

/// A `\CT\MR\` column: any of its values may match.
fn push_list(sql: &mut Sql, column: &str, vr: VR, rule: &Match) {
    match rule {
        Match::Single(single) => {
            sql.push("instr(").push(column).push(", ").push_bind(format!("\\{single}\\")).push(") > 0");
        }
        Match::UidList(uids) => {
            sql.push("0");
            for uid in uids {
                sql.push(" OR instr(").push(column).push(", ").push_bind(format!("\\{uid}\\")).push(") > 0");
            }
        }
        Match::Wildcard(_) | Match::Range { .. } | Match::Universal => {
            sql.push("EXISTS (SELECT 1 FROM json_each('[\"' || replace(trim(").push(column);
            sql.push(", '\\'), '\\', '\",\"') || '\"]') AS listed WHERE ");
            push_value(sql, "listed.value", vr, rule, false);
            sql.push(")");
        }
    }
}

/// An attribute without a column: any value in the row's JSON may match.
fn push_json(sql: &mut Sql, attribute: &Attribute, rule: &Match, fuzzy: bool) {
    let table = match attribute.level {
        Level::Patient | Level::Study => "study",
        Level::Series => "series",
        Level::Instance => "instance",
    };
    let key = match attribute.vr {
        VR::PN => columns::folded_key(attribute.tag),
        _ => columns::json_key(attribute.tag),
    };
    sql.push("EXISTS (SELECT 1 FROM json_each(")
        .push(table)
        .push(".attributes, '$.\"")
        .push(key)
        .push("\"') AS listed WHERE ");
    match (attribute.vr, rule) {
        (VR::IS | VR::DS | VR::US, Match::Single(single)) => {
            // 1, 1.0 and 01 are the same number.
            sql.push("listed.value = ").push_bind(single.clone());
            if let Ok(number) = single.trim().parse::<f64>() {
                sql.push(" OR CAST(listed.value AS REAL) = ").push_bind(number);
            }
        }
        (VR::DA, _) => push_value(sql, "replace(listed.value, '.', '')", attribute.vr, rule, fuzzy),
        (VR::TM, _) => push_value(sql, "replace(listed.value, ':', '')", attribute.vr, rule, fuzzy),
        _ => push_value(sql, "listed.value", attribute.vr, rule, fuzzy),
    }
    sql.push(")");
}
