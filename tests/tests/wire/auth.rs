//! Every recorded proof is the one that we would have made.

use aemp_proto::auth::{Method, Secret};

use aemp_tests::transcript;

#[test]
fn every_auth_vector_matches() {
    let mut count = 0;
    for transcript in transcript::all() {
        for vector in transcript.json["auth_vectors"].as_array().unwrap() {
            let text = |key: &str| vector[key].as_str().unwrap();
            // Of a minimal client only the proof is recorded; it depends on nothing else.
            let line = |key: &str| vector[key].as_str().unwrap_or_default().as_bytes();
            let method = Method::from_name(text("method")).unwrap();
            let own = [line("lgreeting1"), line("lgreeting2")];
            let other = [line("rgreeting1"), line("rgreeting2")];
            let proof = method
                .proof(Some(&Secret::new(text("secret"))), own, other)
                .unwrap();
            assert_eq!(proof.as_str(), text("lauth"), "{}", transcript.name);
            assert!(proof.matches(line("lauth")));
            count += 1;
        }
    }
    assert!(count > 100, "only {count} vectors");
}
