//! Hints for names that are probably misspelt.

/// The name that is most similar to an unknown one, if it is similar enough for a hint.
pub(crate) fn nearest<'a>(names: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let best = names.min_by_key(|known| distance(known, name))?;
    // A name without a common character is no hint.
    let most = name.len().div_ceil(3).min(name.len().saturating_sub(1));
    (distance(best, name) <= most).then_some(best)
}

/// The edit distance of two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn names_are_hints_if_they_are_similar() {
        let known = || ["binds", "seeds", "a"].into_iter();
        assert_eq!(nearest(known(), "bidns"), Some("binds"));
        assert_eq!(nearest(known(), "secret"), None);
        assert_eq!(nearest(known(), "3"), None, "no common character");
    }
}
