# What an admin manages of tokens with the official Terraform provider; tests/clients/test_terraform.py applies it.
terraform {
  required_providers {
    databricks = { source = "databricks/databricks" }
  }
}

variable "lifetime" {
  default = "90"
}

variable "comment" {
  default = "nightly"
}

resource "databricks_service_principal" "robot" { display_name = "robot" }

resource "databricks_user" "person" { user_name = "person@example.com" }

resource "databricks_group" "crew" { display_name = "crew" }

resource "databricks_group_member" "robot" {
  group_id  = databricks_group.crew.id
  member_id = databricks_service_principal.robot.id
}

resource "databricks_permissions" "tokens" {
  authorization = "tokens"
  access_control {
    group_name       = databricks_group.crew.display_name
    permission_level = "CAN_USE"
  }
  access_control {
    service_principal_name = databricks_service_principal.robot.application_id
    permission_level       = "CAN_USE"
  }
}

resource "databricks_permissions" "passwords" {
  authorization = "passwords"
  access_control {
    group_name       = databricks_group.crew.display_name
    permission_level = "CAN_USE"
  }
}

resource "databricks_token" "own" {
  comment          = var.comment
  lifetime_seconds = 86400
}

resource "databricks_obo_token" "robot" {
  depends_on       = [databricks_permissions.tokens]
  application_id   = databricks_service_principal.robot.application_id
  comment          = var.comment
  lifetime_seconds = 86400
}

resource "databricks_workspace_conf" "this" {
  custom_config = { "maxTokenLifetimeDays" : var.lifetime }
}

resource "databricks_secret_scope" "vault" { name = "vault" }

resource "databricks_secret" "token" {
  scope        = databricks_secret_scope.vault.name
  key          = "token"
  string_value = databricks_token.own.token_value
}

resource "databricks_secret_acl" "crew" {
  scope      = databricks_secret_scope.vault.name
  principal  = databricks_group.crew.display_name
  permission = "READ"
}

resource "databricks_restrict_workspace_admins_setting" "this" {
  restrict_workspace_admins { status = "ALLOW_ALL" }
}

data "databricks_current_user" "me" {}

data "databricks_group" "admins" { display_name = "admins" }

data "databricks_spark_version" "latest" {}

output "robot" {
  value = databricks_service_principal.robot.application_id
}
