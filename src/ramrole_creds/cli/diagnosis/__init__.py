"""What `ramrole-creds doctor` looks at: one module per area, and the verdict drawn from them."""
