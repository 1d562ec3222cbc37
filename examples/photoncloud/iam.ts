/**
 * IAM, PhotonCloud's users, projects and tokens: the RPCs of `protos/iam/v1/iam.proto`. This file checks requests and
 * translates between messages and what does the work: `iam/directory.ts`, `iam/passwords.ts` and `iam/tokens.ts`.
 */
import { status as Status } from '@grpc/grpc-js';
import { Directory, type StoredMember, type StoredProject, type StoredUser } from './iam/directory.js';
import type * as message from './iam/messages.js';
import { hashPassword, isPassword, passwordFingerprint } from './iam/passwords.js';
import { maxTtlSeconds, type TokenNames, Tokens } from './iam/tokens.js';
import { systemClock, timestampOf } from './lib/clock.js';
import { quoted, requireFields, ServiceError } from './lib/errors.js';
import { idRule, lineRule, type Rule, textRule } from './lib/rules.js';
import { maskedFields } from './lib/update-mask.js';
import { serve } from './lib/grpc.js';
import { readPage } from './lib/paging.js';
import { RequestIds } from './lib/request-ids.js';
import { Schema } from './lib/schema.js';
import type { RunningService, ServiceImplementation, StartOptions } from './lib/service.js';

/** How IAM is started. */
export interface IamOptions extends StartOptions {
  /** `iss` and `aud` of its tokens. Default: `photoncloud-iam` and `photoncloud`. */
  readonly tokenNames?: TokenNames;
  /** A user with the role `admin`, created where no user has that role yet. Default: none. */
  readonly admin?: FirstAdmin;
}

/** Who looks after the users until there are others. */
export interface FirstAdmin {
  readonly username: string;
  readonly password: string;
  /** Called where this user was created. */
  readonly onCreated?: () => void;
}

const serviceName = 'iam.v1.IamService';
const defaultTtlSeconds = 3600n;
const maxPasswordBytes = 1024;
/** A token has to fit into a header of any client and proxy. */
const mostProjectsInToken = 50;
/** Longer than any token of ours. */
const maxTokenBytes = 16 * 1024;

/** Starts IAM; resolves when it listens. */
export async function startIam(options: IamOptions): Promise<RunningService> {
  const { database, clock = systemClock } = options;
  const schema = Schema.load(['iam/v1/iam.proto']);
  const directory = new Directory(database, clock);
  const tokens = new Tokens(
    database,
    clock,
    options.tokenNames ?? { issuer: 'photoncloud-iam', audience: 'photoncloud' },
  );
  const requestIds = new RequestIds(database, clock);
  if (options.admin !== undefined && !directory.hasAdmin()) {
    const { username, password, onCreated } = options.admin;
    const hash = await hashPassword(password);
    directory.addUser({ username, email: '', org_id: '', roles: 'admin', password: hash });
    onCreated?.();
  }
  const handlers = {
    ...tokenHandlers(directory, tokens),
    ...userHandlers(directory, requestIds, schema),
    ...projectHandlers(directory, requestIds, schema),
    ...memberHandlers(directory),
  };
  return serve({ ...options, services: [{ schema, name: serviceName, handlers }] });
}

function tokenHandlers(directory: Directory, tokens: Tokens): ServiceImplementation['handlers'] {
  return {
    async CreateToken(request: message.CreateTokenRequest): Promise<message.Token> {
      const { username, password, ttl_seconds: ttl = defaultTtlSeconds } = request;
      requireFields(['username', username !== '', 'is empty'], ...passwordRules('password', password), [
        'ttl_seconds',
        ttl >= 1n && ttl <= BigInt(maxTtlSeconds),
        `is ${ttl}, expected 1 to ${maxTtlSeconds}`,
      ]);
      const user = isUsername(username) ? directory.userNamed(username) : undefined;
      if (!(await isPassword(password, user?.password)) || user === undefined) {
        throw new ServiceError(Status.UNAUTHENTICATED, 'no user has this name and password');
      }
      const claims = {
        sub: user.id,
        username: user.username,
        org_id: user.org_id,
        project_ids: directory.projectIds(user.id).slice(0, mostProjectsInToken),
        roles: rolesOf(user),
        password_version: Number(user.password_version),
      };
      const { token, expiresMs } = await tokens.sign(claims, Number(ttl));
      return { token, token_type: 'Bearer', expires_at: timestampOf(expiresMs) };
    },

    async VerifyToken({ token }: message.VerifyTokenRequest): Promise<message.TokenInfo> {
      if (token === '') return { valid: false, reason: 'the token is empty' };
      if (token.length > maxTokenBytes) return { valid: false, reason: 'the token is malformed' };
      const read = await tokens.read(token);
      if ('reason' in read) return { valid: false, reason: read.reason };
      const user = directory.userNamed(read.claims.username);
      if (user?.id !== read.claims.sub) return { valid: false, reason: "the token's user is not there any more" };
      if (Number(user.password_version) !== read.claims.password_version) {
        return { valid: false, reason: 'the password was changed after the token was issued' };
      }
      return {
        valid: true,
        subject: user.id,
        username: user.username,
        org_id: user.org_id,
        project_ids: directory.projectIds(user.id),
        expires_at: timestampOf(read.expiresMs),
        roles: rolesOf(user),
      };
    },

    GetJwks(): message.HttpBody {
      return { content_type: 'application/json', data: Buffer.from(JSON.stringify(tokens.keySet())) };
    },
  };
}

function userHandlers(directory: Directory, requestIds: RequestIds, schema: Schema): ServiceImplementation['handlers'] {
  const users = schema.codec<message.User>('iam.v1.User');
  return {
    ListUsers(request: message.PageRequest): object {
      const query = [serviceName, 'ListUsers'];
      const page = readPage(
        query,
        request,
        (after, count) => directory.users(after, count),
        ({ id }) => id,
      );
      return { users: page.entries.map(userMessage), next_page_token: page.next_page_token };
    },

    async CreateUser(request: message.CreateUserRequest): Promise<message.User> {
      const { username, password, email, org_id, request_id } = request;
      requireFields(
        ['username', isUsername(username), `is ${quoted(username)}, expected 1 to 64 letters, digits and . _ @ + -`],
        ...passwordRules('password', password),
        ...emailRules('email', email),
        ...optionalId('org_id', org_id),
      );
      const hash = await hashPassword(password);
      // What is kept to compare a repeat with must not be easier to guess the password from than its hash is.
      const compared = request_id === '' ? '' : await passwordFingerprint(password, `${serviceName} ${request_id}`);
      return requestIds.once(`${serviceName}.CreateUser`, { ...request, password: compared }, users, () =>
        userMessage(directory.addUser({ username, email, org_id, roles: '', password: hash })),
      );
    },

    GetUser: ({ id }: message.IdRequest): message.User => userMessage(directory.user(id)),

    async UpdateUser({ user, update_mask }: message.UpdateUserRequest): Promise<message.User> {
      const fields = maskedFields('user', user, update_mask, ['email', 'org_id', 'password']);
      const { id, email, org_id, password } = user!;
      requireFields(
        ...(fields.has('email') ? emailRules('user.email', email) : []),
        ...(fields.has('org_id') ? optionalId('user.org_id', org_id) : []),
        ...(fields.has('password') ? passwordRules('user.password', password) : []),
      );
      directory.user(id);
      const changes = {
        ...(fields.has('email') && { email }),
        ...(fields.has('org_id') && { org_id }),
        ...(fields.has('password') && { password: await hashPassword(password) }),
      };
      return userMessage(directory.changeUser(id, changes));
    },

    DeleteUser({ id }: message.IdRequest): message.Deleted {
      directory.deleteUser(id);
      return { deleted: true };
    },
  };
}

function projectHandlers(
  directory: Directory,
  requestIds: RequestIds,
  schema: Schema,
): ServiceImplementation['handlers'] {
  const projects = schema.codec<message.Project>('iam.v1.Project');
  return {
    ListProjects(request: message.PageRequest): object {
      const query = [serviceName, 'ListProjects'];
      const page = readPage(
        query,
        request,
        (after, count) => directory.projects(after, count),
        ({ id }) => id,
      );
      return { projects: page.entries.map(projectMessage), next_page_token: page.next_page_token };
    },

    CreateProject(request: message.CreateProjectRequest): message.Project {
      const { name, org_id, description } = request;
      requireFields(lineRule('name', name), idRule('org_id', org_id), textRule('description', description));
      return requestIds.once(`${serviceName}.CreateProject`, request, projects, () =>
        projectMessage(directory.addProject({ name, org_id, description })),
      );
    },

    GetProject: ({ id }: message.IdRequest): message.Project => projectMessage(directory.project(id)),

    UpdateProject({ project, update_mask }: message.UpdateProjectRequest): message.Project {
      const fields = maskedFields('project', project, update_mask, ['name', 'description']);
      const { id, name, description } = project!;
      requireFields(
        ...(fields.has('name') ? [lineRule('project.name', name)] : []),
        ...(fields.has('description') ? [textRule('project.description', description)] : []),
      );
      const changes = { ...(fields.has('name') && { name }), ...(fields.has('description') && { description }) };
      return projectMessage(directory.changeProject(id, changes));
    },

    DeleteProject({ id }: message.IdRequest): message.Deleted {
      directory.deleteProject(id);
      return { deleted: true };
    },
  };
}

function memberHandlers(directory: Directory): ServiceImplementation['handlers'] {
  return {
    ListMembers(request: message.ListMembersRequest): object {
      const query = [serviceName, 'ListMembers', request.id];
      const read = (after: string | undefined, count: number): StoredMember[] =>
        directory.members(request.id, after, count);
      const page = readPage(query, request, read, ({ user_id }) => user_id);
      return { members: page.entries.map(memberMessage), next_page_token: page.next_page_token };
    },

    SetMember({ id, user_id, role }: message.SetMemberRequest): message.Member {
      requireFields([
        'role',
        /^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(role),
        `is ${quoted(role)}, expected a word such as viewer, editor or owner: letters, digits, _ and -, at most 64`,
      ]);
      return memberMessage(directory.setMember(id, user_id, role));
    },

    RemoveMember({ id, user_id }: message.MemberRequest): message.Deleted {
      directory.removeMember(id, user_id);
      return { deleted: true };
    },
  };
}

function isUsername(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/.test(text);
}

function passwordRules(field: string, password: string): Rule[] {
  return [
    [field, password !== '', 'is empty'],
    [field, Buffer.byteLength(password) <= maxPasswordBytes, `is longer than ${maxPasswordBytes} bytes`],
  ];
}

function emailRules(field: string, email: string): Rule[] {
  const fits = email === '' || (email.length <= 254 && /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(email));
  return [[field, fits, `is ${quoted(email)}, expected a mail address: name@host`]];
}

function optionalId(field: string, id: string): Rule[] {
  return id === '' ? [] : [idRule(field, id)];
}

function rolesOf(user: StoredUser): string[] {
  return user.roles.split(' ').filter((role) => role !== '');
}

function userMessage(user: StoredUser): message.User {
  return {
    id: user.id,
    username: user.username,
    email: user.email,
    org_id: user.org_id,
    roles: rolesOf(user),
    created_at: timestampOf(Number(user.created_ms)),
    updated_at: timestampOf(Number(user.updated_ms)),
  };
}

function projectMessage({ created_ms, updated_ms, ...project }: StoredProject): message.Project {
  return { ...project, created_at: timestampOf(Number(created_ms)), updated_at: timestampOf(Number(updated_ms)) };
}

function memberMessage({ created_ms, updated_ms, ...member }: StoredMember): message.Member {
  return { ...member, created_at: timestampOf(Number(created_ms)), updated_at: timestampOf(Number(updated_ms)) };
}
