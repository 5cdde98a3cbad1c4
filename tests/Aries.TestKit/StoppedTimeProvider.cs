namespace Aries.TestKit;

/// <summary>A clock that stands still: every duration is zero.</summary>
public sealed class StoppedTimeProvider : TimeProvider
{
    /// <inheritdoc />
    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;

    /// <inheritdoc />
    public override long GetTimestamp() => 0;
}
