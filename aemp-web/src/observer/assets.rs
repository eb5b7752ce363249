//! The files that pages need. They are part of the program, so nothing comes from elsewhere. Their sources and licences are in
//! `assets/LICENSES.txt`.

use axum::{
    extract::Path,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};

/// The name, the media type, and the content of each file.
const FILES: [(&str, &str, &str); 7] = [
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("../../assets/style.css"),
    ),
    (
        "observer.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/observer.js"),
    ),
    (
        "icon.svg",
        "image/svg+xml",
        include_str!("../../assets/icon.svg"),
    ),
    (
        "htmx.min.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/htmx.min.js"),
    ),
    (
        "idiomorph-ext.min.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/idiomorph-ext.min.js"),
    ),
    (
        "sse.min.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/sse.min.js"),
    ),
    (
        "LICENSES.txt",
        "text/plain; charset=utf-8",
        include_str!("../../assets/LICENSES.txt"),
    ),
];

/// The answer to a request for a file.
pub(crate) async fn file(Path(name): Path<String>) -> Response {
    let Some((_, kind, content)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
    };
    // They change with the program only, which may be another one at the same address tomorrow.
    let headers = [(CONTENT_TYPE, *kind), (CACHE_CONTROL, "max-age=60")];
    (headers, *content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_light() {
        let bytes: usize = FILES.iter().map(|(.., content)| content.len()).sum();
        assert!(bytes < 100_000, "{bytes}");
    }
}
