package muleteer_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"strings"
)

// checkVars: no init functions, and package variables only if nothing can
// change them. That is: errors, regular expressions, embedded files and the
// like, made by one of the calls that makes lists; tables written as literals,
// which no line of the module assigns to or takes the address of; assertions
// (var _ I = T{}); and sync.Pool, which keeps nothing that anybody would miss.
func (h *house) checkVars(folder string, files []*ast.File) {
	info := &types.Info{
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},
		Types: map[ast.Expr]types.TypeAndValue{},
	}
	// Names are resolved without looking at what is imported: it suffices to
	// know which of them are variables of a package.
	conf := types.Config{Importer: strangers{}, Error: func(error) {}, FakeImportC: true}
	pkg, _ := conf.Check(module+"/"+folder, h.fset, files, info) // its errors are those of the missing imports
	w := &writes{house: h, pkg: pkg, info: info}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					h.find(d, "%s has an init function", folder)
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					h.checkDecl(d, info)
				}
			}
		}
		ast.Inspect(f, w.visit)
	}
}

// strangers imports every package as an empty one.
type strangers struct{}

func (strangers) Import(p string) (*types.Package, error) {
	pkg := types.NewPackage(p, path.Base(p))
	pkg.MarkComplete()
	return pkg, nil
}

// makes are the calls whose results nobody can change.
func makes(call string) bool {
	switch call {
	case "errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer",
		"template.Must", "prometheus.NewDesc", "crc32.MakeTable", "time.Date", "time.Unix":
		return true
	}
	return strings.HasSuffix(call, "Func") // http.HandlerFunc and its like only give a function a type
}

// checkDecl looks at how package variables come to their first value.
func (h *house) checkDecl(d *ast.GenDecl, info *types.Info) {
	for _, s := range d.Specs {
		spec := s.(*ast.ValueSpec)
		if embeds(d.Doc) || embeds(spec.Doc) || spec.Type != nil && types.ExprString(spec.Type) == "sync.Pool" {
			continue
		}
		for i, name := range spec.Names {
			fixed := len(spec.Values) == len(spec.Names)
			if fixed {
				ast.Inspect(spec.Values[i], func(n ast.Node) bool {
					fixed = fixed && isFixed(n, info)
					return fixed && !isOpaque(n)
				})
			}
			if name.Name != "_" && !fixed {
				h.find(name, "%s is a mutable variable", name.Name)
			}
		}
	}
}

func embeds(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// isFixed tells whether a node of a first value leaves nothing to change.
func isFixed(n ast.Node, info *types.Info) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		return info.Types[n.Fun].IsType() || makes(types.ExprString(n.Fun))
	case *ast.UnaryExpr:
		return n.Op != token.AND
	case *ast.CompositeLit:
		t := ""
		if n.Type != nil {
			t = types.ExprString(n.Type)
		}
		return t == "sync.Pool" || !strings.HasPrefix(t, "sync.") && !strings.HasPrefix(t, "atomic.")
	case *ast.SelectorExpr:
		return !strings.Contains(types.ExprString(n), ".Default") // http.DefaultClient and its like are pointers
	}
	return true
}

// isOpaque tells what need not be looked into: the body of a function, and what
// an allowed call is given.
func isOpaque(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncLit:
		return true
	case *ast.CallExpr:
		return makes(types.ExprString(n.Fun))
	}
	return false
}

// writes finds the places where a package variable is written, or where its
// address is taken, so that it could be.
type writes struct {
	*house
	pkg  *types.Package
	info *types.Info
}

func (w *writes) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, e := range n.Lhs {
			w.written(e)
		}
	case *ast.IncDecStmt:
		w.written(n.X)
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			w.written(n.Key)
			w.written(n.Value)
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			w.written(n.X)
		}
	case *ast.CallExpr:
		switch types.ExprString(n.Fun) {
		case "delete", "clear", "copy":
			w.written(n.Args[0])
		}
	}
	return true
}

// written follows an expression to the variable that it is part of.
func (w *writes) written(e ast.Expr) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		w.written(x.X)
	case *ast.IndexExpr:
		w.written(x.X)
	case *ast.SliceExpr:
		w.written(x.X)
	case *ast.StarExpr:
		w.written(x.X)
	case *ast.SelectorExpr:
		if id, ok := x.X.(*ast.Ident); ok {
			if _, ok := w.info.Uses[id].(*types.PkgName); ok {
				w.find(x, "%s of another package is written", types.ExprString(x))
				return
			}
		}
		w.written(x.X)
	case *ast.Ident:
		v, ok := w.info.Uses[x].(*types.Var)
		if ok && w.pkg != nil && v.Parent() == w.pkg.Scope() {
			w.find(x, "%s, a variable of the package, is written", x.Name)
		}
	}
}
