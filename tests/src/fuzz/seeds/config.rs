//! Configurations and changes: every key, every operation, and typical texts of users. There are no recordings of
//! these.

use super::Seeds;

const FILES: [(&str, &str); 5] = [
    (
        "documented",
        r#"{
   "version" : 1,
   "secret" : "between friends",
   "seeds" : [ "10.0.0.1:4040" ],
   "profile" : {
      "worker" : { "nodeid" : "worker/%n/", "services" : [ "My::Worker::start" ] },
      "big" : { "parent" : "worker", "services" : [ [ "My::Worker::start", 16 ] ] }
   }
}
"#,
    ),
    (
        "by hand",
        "# what people write\n{\n\t\"seeds\": \"a:1, [::1]:*,\", # all\n\t\"binds\": [\"*:*\", 4040,],\n\t\"secure\": \"1\", \"nodelay\": false, \
         \"monitor_timeout\": \"2.5\",\n\t\"profile\": {\"\\u00e4\\ud83d\\ude00\": {\"nodeid\": \"%u/\",},},\n}\n",
    ),
    (
        "every key",
        r#"{"nodeid":"n","secret":"s","cert":"-----BEGIN","seeds":["h:1"],"binds":["*:*"],"services":["a::b"],"secure":1,
"monitor_timeout":30,"connect_interval":0.5,"framing_format":["cbor","json"],"auth_offer":["hmac_sha3_512"],
"auth_accept":"tls_anon,cleartext","autocork":0,"nodelay":1,"eval":"1","profile":{"p":{"parent":"q"},"q":{"parent":"p"}}}"#,
    ),
    (
        "numbers",
        r#"{"a":[0,-1,1.5,1e300,-0,18446744073709551615,-9223372036854775808,0.1,null,true,[[{"b":{}}]]]}"#,
    ),
    ("nothing", ""),
];

const CHANGES: [&str; 12] = [
    "set\t\tseeds\t10.0.0.1:4040,h:1",
    "set\tworker\tmonitor_timeout\t7",
    "set\tnew\tparent\tworker",
    "set\t\tservices\t[A::b|A::c]",
    "add\tworker\tseeds\t[::1]:4040",
    "add\t\tauth_accept\tcleartext",
    "remove\t\tseeds\t10.0.0.1:4040",
    "remove\tworker\tservices\tMy::Worker::start",
    "delete\tworker\tnodeid\t",
    "create\tx\t\t",
    "forget\tbig\t\t",
    "set\t\tsecret\tquote \" and tab",
];

pub(super) fn files() -> Seeds {
    let mut seeds = Seeds::new();
    for (number, (name, file)) in FILES.into_iter().enumerate() {
        let changes = CHANGES.iter().skip(number % 2).step_by(2);
        let seed = changes.fold(file.to_owned(), |seed, change| seed + "\0" + change);
        seeds.insert(name.replace(' ', "-"), seed.into_bytes());
    }
    seeds
}
