//! What the console shows for a client that acts for itself: a test compares it.

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tokens = ficha_client::TokenSource::builder("https://auth.example.com", "night-shift")
        .client_secret(std::env::var("CLIENT_SECRET")?)
        .scope("ficha:sessions")
        .client_credentials()
        .build()?;
    println!("{}", tokens.access_token().await?.secret());
    Ok(())
}
