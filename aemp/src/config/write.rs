//! Writing a configuration in the reference's layout: indented by three blanks, ` : ` behind keys.

use aemp_codec::{Map, Value};

use super::parse::MAX_DEPTH;

/// Returns the text of a file. The error names the value that cannot be written.
pub(super) fn document(map: &Map) -> Result<String, String> {
    let mut out = String::new();
    object(&mut out, map, 1)?;
    out.push('\n');
    Ok(out)
}

fn value(out: &mut String, value: &Value, depth: usize) -> Result<(), String> {
    match value {
        Value::Map(map) => return object(out, map, depth + 1),
        Value::Array(items) => return array(out, items, depth + 1),
        Value::Float(x) if !x.is_finite() => return Err(format!("{x} is not a number in JSON")),
        scalar => out.push_str(&scalar.to_string()),
    }
    Ok(())
}

fn object(out: &mut String, map: &Map, depth: usize) -> Result<(), String> {
    check(depth)?;
    out.push('{');
    for (i, (key, item)) in map.iter().enumerate() {
        separate(out, i, depth);
        out.push_str(&Value::from(key).to_string());
        out.push_str(" : ");
        value(out, item, depth)?;
    }
    close(out, map.len(), depth, '}');
    Ok(())
}

fn array(out: &mut String, items: &[Value], depth: usize) -> Result<(), String> {
    check(depth)?;
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        separate(out, i, depth);
        value(out, item, depth)?;
    }
    close(out, items.len(), depth, ']');
    Ok(())
}

fn check(depth: usize) -> Result<(), String> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    Err(format!("nested deeper than {MAX_DEPTH} levels"))
}

fn separate(out: &mut String, i: usize, depth: usize) {
    out.push_str(if i == 0 { "\n" } else { ",\n" });
    indent(out, depth);
}

fn close(out: &mut String, len: usize, depth: usize, end: char) {
    if len > 0 {
        out.push('\n');
        indent(out, depth - 1);
    }
    out.push(end);
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("   ");
    }
}
