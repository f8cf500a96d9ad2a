// What the official SDK for Go reads from a workspace and from its account, and changes there, printed as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/common/types/fieldmask"
	"github.com/databricks/databricks-sdk-go/listing"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/provisioning"
	"github.com/databricks/databricks-sdk-go/service/settings"
	"github.com/databricks/databricks-sdk-go/service/sql"
)

type document = map[string]any

var ctx = context.Background()

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func main() {
	w := must(databricks.NewWorkspaceClient(&databricks.Config{
		Host:  os.Getenv("HOST"),
		Token: os.Getenv("TOKEN"),
	}))
	a := must(databricks.NewAccountClient(&databricks.Config{
		Host:         os.Getenv("ACCOUNT_HOST"),
		AccountID:    os.Getenv("ACCOUNT_ID"),
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
	}))
	found := document{
		"me":                 must(w.CurrentUser.Me(ctx, iam.MeRequest{})).UserName,
		"tokens":             must(w.TokenManagement.ListAll(ctx, settings.ListTokenManagementRequest{})),
		"users":              must(listing.ToSlice(ctx, w.UsersV2.List(ctx, iam.ListUsersRequest{Count: 25}))), // in pages
		"groups":             must(w.GroupsV2.ListAll(ctx, iam.ListGroupsRequest{})),
		"service_principals": must(w.ServicePrincipalsV2.ListAll(ctx, iam.ListServicePrincipalsRequest{})),
		"warehouses":         must(w.Warehouses.ListAll(ctx, sql.ListWarehousesRequest{})),
		"workspaces":         must(a.Workspaces.List(ctx)),
		"workspace":          workspace(a),
	}
	found["statement"] = statement(w)
	found["tokens_of_others"], found["error"] = tokensOfOthers(w)
	found["own_tokens"] = ownTokens(w)
	found["permissions"] = permissions(w)
	found["identities"] = identities(w)
	found["settings"] = workspaceConf(w)
	check(json.NewEncoder(os.Stdout).Encode(found))
}

func workspace(a *databricks.AccountClient) *provisioning.Workspace {
	workspaces := must(a.Workspaces.List(ctx))
	return must(a.Workspaces.GetByWorkspaceId(ctx, workspaces[len(workspaces)-1].WorkspaceId))
}

func statement(w *databricks.WorkspaceClient) [][]string {
	warehouse := must(w.Warehouses.GetById(ctx, os.Getenv("WAREHOUSE_ID")))
	response := must(w.StatementExecution.ExecuteAndWait(ctx, sql.ExecuteStatementRequest{
		WarehouseId: warehouse.Id,
		Statement:   "SELECT count(*) FROM system.access.audit WHERE action_name = :action",
		Parameters:  []sql.StatementParameterListItem{{Name: "action", Value: "tokenLogin"}},
	}))
	return response.Result.DataArray
}

func tokensOfOthers(w *databricks.WorkspaceClient) ([]string, document) {
	obo := must(w.TokenManagement.CreateOboToken(ctx, settings.CreateOboTokenRequest{
		ApplicationId: os.Getenv("APPLICATION_ID"), LifetimeSeconds: 600, Comment: "nightly",
	}))
	id := obo.TokenInfo.TokenId
	changed := must(w.TokenManagement.UpdateTokenManagement(ctx, settings.UpdateTokenManagementRequest{
		TokenId:    id,
		Token:      settings.TokenInfo{Comment: "weekly"},
		UpdateMask: *fieldmask.New([]string{"comment"}),
	}))
	read := must(w.TokenManagement.GetByTokenId(ctx, id)).TokenInfo
	check(w.TokenManagement.DeleteByTokenId(ctx, id))
	_, err := w.TokenManagement.GetByTokenId(ctx, id)
	var refused *apierr.APIError
	if !errors.As(err, &refused) {
		panic(err)
	}
	return []string{obo.TokenInfo.Comment, changed.Comment, read.Comment}, document{
		"code": refused.ErrorCode, "status": refused.StatusCode, "not_found": errors.Is(err, databricks.ErrNotFound),
	}
}

func ownTokens(w *databricks.WorkspaceClient) []string {
	created := must(w.Tokens.Create(ctx, settings.CreateTokenRequest{Comment: "laptop", LifetimeSeconds: 600}))
	id := created.TokenInfo.TokenId
	must(w.Tokens.Update(ctx, settings.UpdateTokenRequest{
		TokenId:    id,
		Token:      settings.PublicTokenInfo{Comment: "desk"},
		UpdateMask: *fieldmask.New([]string{"comment"}),
	}))
	comments := []string{created.TokenInfo.Comment}
	for _, token := range must(w.Tokens.ListAll(ctx)) {
		if token.TokenId == id {
			comments = append(comments, token.Comment)
		}
	}
	check(w.Tokens.DeleteByTokenId(ctx, id))
	for _, token := range must(w.Tokens.ListAll(ctx)) {
		if token.TokenId == id {
			panic("the token is still listed")
		}
	}
	return comments
}

func permissions(w *databricks.WorkspaceClient) document {
	users := iam.AccessControlRequest{GroupName: "users", PermissionLevel: iam.PermissionLevelCanUse}
	admins := iam.AccessControlRequest{GroupName: "admins", PermissionLevel: iam.PermissionLevelCanManage}
	object, id := "authorization", "tokens"
	return document{
		"before": must(w.TokenManagement.GetPermissions(ctx)),
		"levels": must(w.TokenManagement.GetPermissionLevels(ctx)).PermissionLevels,
		"updated": must(w.Permissions.Update(ctx, iam.UpdateObjectPermissions{
			RequestObjectType: object, RequestObjectId: id, AccessControlList: []iam.AccessControlRequest{users},
		})),
		"set": must(w.Permissions.Set(ctx, iam.SetObjectPermissions{
			RequestObjectType: object, RequestObjectId: id, AccessControlList: []iam.AccessControlRequest{admins, users},
		})),
		"after": must(w.Permissions.Get(ctx, iam.GetPermissionRequest{RequestObjectType: object, RequestObjectId: id})),
	}
}

func identities(w *databricks.WorkspaceClient) document {
	deactivate := []iam.Patch{{Op: iam.PatchOpReplace, Path: "active", Value: false}}
	schemas := []iam.PatchSchema{iam.PatchSchemaUrnIetfParamsScimApiMessages20PatchOp}

	user := must(w.UsersV2.Create(ctx, iam.CreateUserRequest{UserName: "new@example.com", Active: true}))
	check(w.UsersV2.Patch(ctx, iam.PatchUserRequest{Id: user.Id, Schemas: schemas, Operations: deactivate}))
	inactive := must(w.UsersV2.Get(ctx, iam.GetUserRequest{Id: user.Id}))
	check(w.UsersV2.Update(ctx, iam.UpdateUserRequest{Id: user.Id, UserName: user.UserName, DisplayName: "New", Active: true}))
	named := must(w.UsersV2.ListAll(ctx, iam.ListUsersRequest{
		Filter: `userName eq "new@example.com"`, Attributes: "id,displayName,active",
	}))

	robot := must(w.ServicePrincipalsV2.Create(ctx, iam.CreateServicePrincipalRequest{DisplayName: "robot", Active: true}))
	check(w.ServicePrincipalsV2.Patch(ctx, iam.PatchServicePrincipalRequest{
		Id: robot.Id, Schemas: schemas, Operations: deactivate,
	}))

	group := must(w.GroupsV2.Create(ctx, iam.CreateGroupRequest{
		DisplayName: "crew", Members: []iam.ComplexValue{{Value: user.Id}, {Value: robot.Id}},
	}))
	check(w.GroupsV2.Patch(ctx, iam.PatchGroupRequest{Id: group.Id, Schemas: schemas, Operations: []iam.Patch{
		{Op: iam.PatchOpRemove, Path: `members[value eq "` + user.Id + `"]`},
	}}))
	remaining := must(w.GroupsV2.Get(ctx, iam.GetGroupRequest{Id: group.Id})).Members
	found := document{
		"inactive": inactive.Active, "named": named, "robot": robot.Id, "remaining": remaining,
		"robot_active": must(w.ServicePrincipalsV2.Get(ctx, iam.GetServicePrincipalRequest{Id: robot.Id})).Active,
	}
	check(w.GroupsV2.Delete(ctx, iam.DeleteGroupRequest{Id: group.Id}))
	check(w.ServicePrincipalsV2.Delete(ctx, iam.DeleteServicePrincipalRequest{Id: robot.Id}))
	check(w.UsersV2.Delete(ctx, iam.DeleteUserRequest{Id: user.Id}))
	return found
}

func workspaceConf(w *databricks.WorkspaceClient) []*map[string]string {
	keys := settings.GetStatusRequest{Keys: "maxTokenLifetimeDays,enableTokensConfig"}
	before := must(w.WorkspaceConf.GetStatus(ctx, keys))
	check(w.WorkspaceConf.SetStatus(ctx, settings.WorkspaceConf{"maxTokenLifetimeDays": "90"}))
	return []*map[string]string{before, must(w.WorkspaceConf.GetStatus(ctx, keys))}
}
