module github.com/ficha-auth/ficha/docs/followers

go 1.19
