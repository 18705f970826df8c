package testdb

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/containerd/errdefs"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

// How long each step may take: a daemon that accepts and never answers must not hang the tests.
const (
	probeTimeout = 3 * time.Second
	pullTimeout  = 3 * time.Minute
	startTimeout = time.Minute
)

// memory is where a container keeps its data in memory: beside the volumes of the images, which lie on a disk.
const memory = "/memory"

// container is a Postgres in a container.
type container struct {
	*postgres.PostgresContainer
	dsn string
}

// startContainer runs Postgres in a container.
func startContainer() (c *container, err error) {
	image := cmp.Or(os.Getenv(imageVariable), defaultImage)
	if err := haveImage(image); err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c = &container{}
	command := []string{"postgres"}
	for _, setting := range settings() {
		command = append(command, "-c", setting)
	}
	c.PostgresContainer, err = postgres.Run(ctx, image, postgres.BasicWaitStrategies(),
		testcontainers.WithCmd(command...),
		testcontainers.WithTmpfs(map[string]string{memory: "rw"}), testcontainers.WithEnv(map[string]string{"PGDATA": memory + "/data"}),
		testcontainers.WithLogger(log.NewNoopLogger()))
	if err == nil {
		c.dsn, err = c.reach(ctx)
	}
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("container: %w", err)
	}
	return c, nil
}

// reach is a DSN: by the container's own address where that can be reached, else by its published port. What listens on that
// is a process of Docker's, which was seen to vanish while other containers were taken off networks.
func (c *container) reach(ctx context.Context) (dsn string, err error) {
	if dsn, err = c.ConnectionString(ctx, "sslmode=disable"); err != nil {
		return "", err
	}
	address, err := c.ContainerIP(ctx)
	if err != nil || address == "" {
		return dsn, err
	}
	direct := net.JoinHostPort(address, "5432")
	conn, err := net.DialTimeout("tcp", direct, time.Second)
	if err != nil {
		return dsn, nil //nolint:nilerr // where containers run in a machine of their own
	}
	_ = conn.Close()
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	u.Host = direct
	return u.String(), nil
}

func (c *container) stop() { _ = testcontainers.TerminateContainer(c.PostgresContainer) }

// state is what the daemon says of the container, and the last that Postgres printed.
func (c *container) state() string {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	state, err := c.State(ctx)
	if err != nil {
		return err.Error()
	}
	printed, err := c.Logs(ctx)
	if err != nil {
		return fmt.Sprintf("%+v: %v", *state, err)
	}
	defer printed.Close()
	text, _ := io.ReadAll(printed)
	return fmt.Sprintf("%+v\n%s", *state, text[max(0, len(text)-4000):])
}

// haveImage makes sure that a Docker daemon answers soon and that it has the image, pulling it if need be.
// The library has no bounded probe of its own, and panics where it finds no daemon: so a goroutine, which is
// left behind when the daemon never answers.
func haveImage(image string) error {
	probed := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				probed <- fmt.Errorf("look for Docker: %v", r)
			}
		}()
		probed <- inspectImage(image)
	}()
	select {
	case err := <-probed:
		if !errdefs.IsNotFound(err) {
			return err
		}
		return pullImage(image)
	case <-time.After(probeTimeout):
		return fmt.Errorf("the Docker daemon did not answer within %s", probeTimeout)
	}
}

func inspectImage(image string) error {
	docker, err := dockerProvider()
	if err != nil {
		return err
	}
	defer docker.Close()
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	if _, err = docker.Client().ImageInspect(ctx, image); err != nil {
		return fmt.Errorf("look for the image %s: %w", image, err)
	}
	return nil
}

func pullImage(image string) error {
	docker, err := dockerProvider()
	if err != nil {
		return err
	}
	defer docker.Close()
	ctx, cancel := context.WithTimeout(context.Background(), pullTimeout)
	defer cancel()
	return docker.PullImage(ctx, image)
}

func dockerProvider() (*testcontainers.DockerProvider, error) {
	provider, err := testcontainers.ProviderDefault.GetProvider(testcontainers.WithLogger(log.NewNoopLogger()))
	if err != nil {
		return nil, fmt.Errorf("look for Docker: %w", err)
	}
	docker, ok := provider.(*testcontainers.DockerProvider)
	if !ok {
		return nil, fmt.Errorf("look for Docker: the provider is a %T", provider)
	}
	return docker, nil
}
