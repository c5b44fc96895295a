//! What the console shows for a client that users log in with: a test compares it.

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tokens = ficha_client::TokenSource::builder("https://auth.example.com", "notes-app")
        .client_secret(std::env::var("CLIENT_SECRET")?)
        .build()?;
    tokens.login("alice", &std::env::var("PASSWORD")?).await?;
    println!("{}", tokens.access_token().await?.secret());
    Ok(())
}
