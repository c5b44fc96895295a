use super::*;

const NONE: &[(&str, &str)] = &[];

fn layers(file: &str, dotenv: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Configuration, ConfigProblem> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ficha.toml");
    std::fs::write(&path, file).unwrap();
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    assemble(vec![
        layer::builtin()?,
        layer::file(&path, "--config")?,
        layer::variables(map(dotenv), " in .env")?,
        layer::variables(map(environment), "")?,
    ])
}

fn environment(pairs: &[(&str, &str)]) -> Result<Configuration, ConfigProblem> {
    layers("", NONE, pairs)
}

/// What is wrong, and what to do about it.
fn refusal(pairs: &[(&str, &str)]) -> String {
    let problem = environment(pairs).unwrap_err();
    format!("{problem}: {}", problem.advice())
}

#[test]
fn the_built_in_settings_are_valid_and_safe() {
    let configuration = environment(NONE).unwrap();
    assert_eq!(configuration.settings.issuer.as_str(), "http://127.0.0.1:8080");
    assert_eq!(configuration.settings.token.access_ttl.as_secs(), 600);
    assert_eq!(configuration.settings.default_client(), Some("first-party"));
    assert_eq!(configuration.warnings, []);
}

#[test]
fn later_sources_override_earlier_ones() {
    let file = "[token]\naccess_ttl = '1m'\nsession_ttl = '1h'\nrefresh_idle_ttl = '1h'\n";
    let dotenv = [("FICHA__TOKEN__SESSION_TTL", "2h"), ("FICHA__TOKEN__REFRESH_IDLE_TTL", "2h")];
    let configuration = layers(file, &dotenv, &[("FICHA__TOKEN__REFRESH_IDLE_TTL", "3h")]).unwrap();
    let token = &configuration.settings.token;
    assert_eq!(token.access_ttl.as_secs(), 60);
    assert_eq!(token.session_ttl.as_secs(), 7_200);
    assert_eq!(token.refresh_idle_ttl.as_secs(), 10_800);
    let shown = configuration.shown.to_string();
    assert!(shown.contains("FICHA__TOKEN__REFRESH_IDLE_TTL\n"), "{shown}");
    assert!(shown.contains("FICHA__TOKEN__SESSION_TTL in .env"), "{shown}");
}

#[test]
fn an_unknown_key_is_refused_with_its_full_name() {
    let error = refusal(&[("FICHA__TOKEN__ACESS_TTL", "1m")]);
    assert!(error.contains("unknown setting token.acess_ttl (from FICHA__TOKEN__ACESS_TTL)"), "{error}");
    assert!(error.contains("token.access_ttl"), "{error}");
    // It is refused even if its value counts as not set.
    assert!(refusal(&[("FICHA__TOKEN__ACESS_TTL", "")]).contains("token.acess_ttl"));
    for (file, key) in [
        ("tokens = 1", "tokens"),
        ("[server]\nport = 1", "server.port"),
        ("[server.tls]\ncert = 'x'", "server.tls.cert"),
        ("[token.access_ttl]\nseconds = 1", "token.access_ttl.seconds"),
        ("token = 1", "token"),
    ] {
        let error = layers(file, NONE, NONE).unwrap_err().to_string();
        assert!(error.starts_with(&format!("unknown setting {key} (from /")), "{error}");
    }
}

#[test]
fn an_invalid_value_is_refused_with_its_key_its_source_and_what_is_allowed() {
    for (name, value, key, wanted) in [
        ("FICHA__SERVER__BIND", "localhost", "server.bind", "127.0.0.1:8080"),
        ("FICHA__TOKEN__ACCESS_TTL", "10x", "token.access_ttl", "10m"),
        ("FICHA__PASSWORD__BCRYPT_COST", "yes", "password.bcrypt_cost", "4 to 16"),
        ("FICHA__PASSWORD__BCRYPT_COST", "3", "password.bcrypt_cost", "4 to 16"),
        ("FICHA__PASSWORD__MAX_QUEUE", "1.5", "password.max_queue", "whole number"),
        ("FICHA__SERVER__BEHIND_TLS_PROXY", "1", "server.behind_tls_proxy", "true or false"),
        ("FICHA__SERVER__TRUSTED_PROXIES", "10.0.0.0/33", "server.trusted_proxies", "10.0.0.0/8"),
        ("FICHA__SERVER__ALLOWED_ORIGINS", "notes.example.com", "server.allowed_origins", "https://notes.example.com"),
        ("FICHA__KEYS__ALGORITHM", "HS256", "keys.algorithm", "ES256"),
        ("FICHA__LOG__LEVEL", "loud", "log.level", "debug"),
        ("FICHA__LOG__FORMAT", "xml", "log.format", "json"),
        ("FICHA__STORE__URL", "mysql://x", "store.url", "sqlite://"),
    ] {
        let error = refusal(&[(name, value)]);
        assert!(error.starts_with(key), "{error}");
        assert!(error.contains(&format!("(from {name})")), "{error}");
        assert!(error.contains(wanted), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_toml_value_of_the_wrong_type_is_refused() {
    for (file, key) in [
        ("[password]\nbcrypt_cost = true", "password.bcrypt_cost is true"),
        ("[password]\nbcrypt_cost = 10.5", "password.bcrypt_cost is 10.5"),
        ("[password]\nbcrypt_cost = -12", "password.bcrypt_cost is -12"),
        ("[server]\nbehind_tls_proxy = 1", "server.behind_tls_proxy is 1"),
        ("[server]\ntrusted_proxies = [1]", "server.trusted_proxies is a list"),
        ("[server]\nissuer = 5", "server.issuer is 5"),
        ("[token]\naccess_ttl = ['10m']", "token.access_ttl is a list"),
    ] {
        let error = layers(file, NONE, NONE).unwrap_err().to_string();
        assert!(error.starts_with(key), "{error}");
    }
}

#[test]
fn text_from_the_environment_is_parsed_as_the_type_of_the_setting() {
    let configuration = environment(&[
        ("FICHA__PASSWORD__BCRYPT_COST", "012"),
        ("FICHA__SERVER__BEHIND_TLS_PROXY", "true"),
        ("FICHA__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("FICHA__TOKEN__ACCESS_TTL", "90"),
        ("FICHA__TOKEN__AUDIENCE", "00123"),
        ("FICHA__KEYS__ROTATE_AFTER", "never"),
        ("FICHA__SERVER__WORKERS", ""),
    ])
    .unwrap();
    assert_eq!(configuration.settings.password.bcrypt_cost.get(), 12);
    assert_eq!(configuration.server.trusted_proxies.len(), 2);
    assert_eq!(configuration.settings.token.access_ttl.as_secs(), 90);
    assert_eq!(configuration.settings.default_audience(), "00123");
    assert_eq!(configuration.server.workers, None);
}

#[test]
fn a29_a_plain_http_issuer_off_loopback_needs_behind_tls_proxy() {
    let off = ("FICHA__SERVER__ISSUER", "http://auth.example.com");
    let error = refusal(&[off]);
    assert!(error.contains("http://auth.example.com") && error.contains("server.behind_tls_proxy"), "{error}");
    assert!(environment(&[off, ("FICHA__SERVER__BEHIND_TLS_PROXY", "true")]).is_ok());
    for loopback in ["http://localhost:9000", "http://127.0.0.1:1", "http://[::1]:1"] {
        assert!(environment(&[("FICHA__SERVER__ISSUER", loopback)]).is_ok(), "{loopback}");
    }
}

#[test]
fn an_issuer_that_is_not_set_follows_only_a_loopback_address() {
    let issuer = |bind| environment(&[("FICHA__SERVER__BIND", bind)]).map(|c| c.settings.issuer.as_str().to_owned());
    assert_eq!(issuer("[::1]:9").unwrap(), "http://[::1]:9");
    let error = issuer("0.0.0.0:8080").unwrap_err().to_string();
    assert!(error.contains("server.issuer is not set"), "{error}");
}

#[test]
fn contradictory_settings_are_refused() {
    let cert = ("FICHA__SERVER__TLS__CERTIFICATE", "c.pem");
    let key = ("FICHA__SERVER__TLS__KEY", "k.pem");
    assert!(refusal(&[cert]).contains("server.tls.key is missing"));
    assert!(refusal(&[key]).contains("server.tls.certificate is missing"));
    assert!(environment(&[cert, key]).unwrap().settings.issuer.as_str().starts_with("https://"));
    assert!(refusal(&[cert, key, ("FICHA__SERVER__ISSUER", "http://localhost:1")]).contains("server.tls is set"));
    let error = refusal(&[("FICHA__PASSWORD__BCRYPT_COST", "15")]);
    assert!(error.contains("password.max_stored_cost"), "{error}");
    let error = refusal(&[("FICHA__TOKEN__ACCESS_TTL", "5s")]);
    assert!(error.contains("token.access_ttl") && error.contains("(from FICHA__TOKEN__ACCESS_TTL)"), "{error}");
}

#[test]
fn no_secret_is_shown_anywhere() {
    const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";
    let configuration = environment(&[
        ("FICHA__TOKEN__SECRET_KEY", SECRET),
        ("FICHA__KEYS__MASTER_KEY", SECRET),
        ("FICHA__STORE__URL", "postgres://ficha:hunter2@db/ficha?password=hunter2&sslmode=require"),
    ])
    .unwrap();
    for text in [configuration.shown.to_string(), format!("{configuration:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let shown = configuration.shown.to_string();
    assert!(shown.contains("token.secret_key = (set)") && shown.contains("postgres://ficha:***@db/ficha"), "{shown}");
    for (file, name) in [
        ("[store]\nurl = 'hunter2'", "store.url"),
        ("[token]\nsecret_key = 'hunter2'", "token.secret_key"),
        ("[token]\nsecret_key = \"hunter2", "not valid TOML"),
        ("[keys]\nmaster_key = ['hunter2']", "keys.master_key"),
    ] {
        let error = layers(file, NONE, NONE).unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn the_database_s_url_can_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store-url");
    let name = path.to_str().unwrap();
    let named = ("FICHA__STORE__URL_FILE", name);
    let error = refusal(&[named]);
    assert!(error.starts_with("store.url_file names ") && error.contains(name), "{error}");
    assert!(error.contains("can't be read") && error.contains("(from FICHA__STORE__URL_FILE)"), "{error}");

    std::fs::write(&path, "  postgres://ficha:hunter2@db/ficha\n\n").unwrap();
    for file in ["", "[log]\nformat = 'json'\n"] {
        let configuration = layers(file, NONE, &[named]).unwrap();
        assert_eq!(configuration.store_url.expose(), "postgres://ficha:hunter2@db/ficha");
        let shown = configuration.shown.to_string();
        let line = shown.lines().find(|line| line.starts_with("store.url ")).unwrap();
        assert!(line.contains("postgres://ficha:***@db/ficha") && line.ends_with(&format!("from the file {name}")));
        assert!(!format!("{shown}{configuration:?}").contains("hunter2"), "{shown}");
    }
    // An empty variable counts as not set, and so does a built-in value.
    assert!(environment(&[named, ("FICHA__STORE__URL", "")]).is_ok());
    let both = layers("[store]\nurl = 'sqlite://x'", NONE, &[named]).unwrap_err().to_string();
    assert!(both.contains("are both set") && both.contains("FICHA__STORE__URL_FILE"), "{both}");
    let both = refusal(&[named, ("FICHA__STORE__URL", "sqlite://data/ficha.db")]);
    assert!(both.contains("store.url (from FICHA__STORE__URL) and store.url_file"), "{both}");

    for text in ["", "hunter2", "mysql://hunter2"] {
        std::fs::write(&path, text).unwrap();
        let error = refusal(&[named]);
        assert!(error.contains("sqlite://") && error.contains(name) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_broken_dotenv_line_is_named_without_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    std::fs::write(&path, "FICHA__TOKEN__SECRET_KEY=\"hunter2").unwrap();
    let error = layer::read_dotenv(&path).unwrap_err().to_string();
    assert!(error.contains("FICHA__TOKEN__SECRET_KEY") && !error.contains("hunter2"), "{error}");
    assert!(layer::read_dotenv(folder.path()).unwrap().is_empty());
}

/// Every setting is in `config/default.toml`, in its section and with a comment above it.
#[test]
fn the_built_in_file_names_every_setting() {
    let text = include_str!("../../../../config/default.toml");
    let mut section = String::new();
    let mut named = std::collections::BTreeSet::new();
    let mut above = "";
    for line in text.lines() {
        let bare = line.trim_start_matches("# ");
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, _)) = bare.split_once(" = ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            assert!(above.starts_with('#'), "{section}.{key} has no comment");
            named.insert(format!("{section}.{key}"));
        }
        above = line;
    }
    let raw = layer::builtin().unwrap().read().unwrap();
    let known: std::collections::BTreeSet<String> = layer::shown_values(&raw).unwrap().into_keys().collect();
    assert_eq!(named, known);
}

#[test]
fn the_production_example_is_valid() {
    let configuration = layers(include_str!("../../../../config/production.toml"), NONE, NONE).unwrap();
    assert!(!configuration.settings.issuer.is_plain_http());
    assert_eq!(configuration.settings.default_client(), None);
    assert_eq!(configuration.warnings, []);
}

#[test]
fn anonymous_following_is_on_for_a_loopback_issuer_and_refused_for_others() {
    let issuer = ("FICHA__SERVER__ISSUER", "https://auth.example.com");
    let flag = |value| ("FICHA__DENYLIST__ANONYMOUS", value);
    let on = |pairs: &[(&str, &str)]| environment(pairs).unwrap().settings.anonymous_following();
    assert!(on(&[]) && on(&[flag("true")]) && on(&[flag("")]));
    assert!(!on(&[flag("false")]) && !on(&[issuer]) && !on(&[issuer, flag("false")]));
    let error = refusal(&[issuer, flag("true")]);
    assert!(error.starts_with("denylist.anonymous is true, but the issuer https://auth.example.com"), "{error}");
    assert!(error.contains("ficha client add") && error.contains("(from FICHA__DENYLIST__ANONYMOUS)"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    let shown = environment(&[issuer]).unwrap().shown.to_string();
    let line = shown.lines().find(|line| line.starts_with("denylist.anonymous")).unwrap();
    assert!(line.contains("= false") && line.ends_with("# because the issuer is not a loopback address"), "{line}");
}

#[test]
fn the_admin_api_has_an_address_and_an_origin_that_fit() {
    const BIND: (&str, &str) = ("FICHA__ADMIN__BIND", "127.0.0.1:9200");
    const ISSUER: (&str, &str) = ("FICHA__SERVER__ISSUER", "https://auth.example.com/id");
    const PROXY: (&str, &str) = ("FICHA__SERVER__BEHIND_TLS_PROXY", "true");
    let site = |pairs: &[(&str, &str)]| {
        let admin = environment(pairs).unwrap().server.admin.unwrap();
        admin.site.as_str().to_owned()
    };
    assert!(environment(NONE).unwrap().server.admin.is_none());
    assert_eq!(site(&[BIND]), "http://127.0.0.1:9200", "the issuer is a loopback address, too");
    assert_eq!(site(&[BIND, ISSUER, PROXY]), "https://auth.example.com/id");
    let origin = |text| [BIND, ISSUER, PROXY, ("FICHA__ADMIN__ORIGIN", text)];
    assert_eq!(site(&origin("https://admin.example.com")), "https://admin.example.com/id");
    assert_eq!(site(&origin("http://127.0.0.1:9200")), "http://127.0.0.1:9200/id");
    for (text, why) in [
        ("http://admin.example.com", "unencrypted"),
        ("https://admin.example.com/console", "is not an origin"),
        ("admin.example.com", "is not an origin"),
    ] {
        let refused = refusal(&origin(text));
        assert!(refused.contains("admin.origin") && refused.contains(why), "{refused}");
    }
    let alone = refusal(&[("FICHA__ADMIN__ORIGIN", "https://admin.example.com")]);
    assert!(alone.contains("admin.bind is not"), "{alone}");
    let open = environment(&[("FICHA__ADMIN__BIND", "0.0.0.0:9200")]).unwrap().warnings;
    let open = open.iter().map(ToString::to_string).collect::<String>();
    assert!(open.contains("admin.bind 0.0.0.0:9200 accepts plain HTTP from other machines"), "{open}");
}

#[test]
fn the_gate_is_for_this_machine_alone() {
    assert_eq!(environment(NONE).unwrap().server.gate_bind, None);
    for bind in ["127.0.0.1:9300", "[::1]:0", "unix:/run/ficha/gate.sock"] {
        let gate = environment(&[("FICHA__SERVER__GATE_BIND", bind)]).unwrap().server.gate_bind;
        assert_eq!(gate, bind.parse().ok());
    }
    let refused = refusal(&[("FICHA__SERVER__GATE_BIND", "0.0.0.0:9300")]);
    assert!(refused.starts_with("server.gate_bind is 0.0.0.0:9300") && refused.contains("loopback"), "{refused}");
    let refused = refusal(&[("FICHA__SERVER__GATE_BIND", "unix:gate.sock")]);
    assert!(refused.contains("unix:/run/ficha/gate.sock"), "{refused}");
}

#[test]
fn white_space_around_a_value_of_the_environment_is_no_part_of_it() {
    let pairs =
        [("FICHA__SERVER__ISSUER", "https://auth.example.com\n"), ("FICHA__SERVER__BEHIND_TLS_PROXY", " true ")];
    assert_eq!(environment(&pairs).unwrap().settings.issuer.as_str(), "https://auth.example.com");
    for (issuer, why) in [("https://AUTH.example.com", "normal form"), ("https://ñ.example", "normal form")] {
        let refused = refusal(&[("FICHA__SERVER__ISSUER", issuer)]);
        assert!(refused.contains("server.issuer") && refused.contains(why), "{refused}");
    }
    let refused = refusal(&[("FICHA__SERVER__ALLOWED_ORIGINS", "https://*.example.com")]);
    assert!(refused.contains("server.allowed_origins") && refused.contains("without patterns"), "{refused}");
}
