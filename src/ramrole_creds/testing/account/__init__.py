"""The fake account: users, roles, policies, issued credentials."""
