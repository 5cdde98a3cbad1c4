using System.Buffers;
using System.Text.Json;

namespace Aries;

/// <summary>
/// <c>metrics.jsonl</c>: a line an optimiser step and a line a round, in the order of the run. A step that is done again replaces its line and drops all
/// that came after, so that the file does not tell how often a run was stopped.
/// </summary>
internal sealed class MetricsLog : IAriesLoopObserver, IDisposable
{
    private const string RoundStage = "round";

    private readonly AppendOnlyFile _file;
    private readonly List<(Position Position, long End)> _lines = [];
    private readonly ArrayBufferWriter<byte> _buffer = new();

    public MetricsLog(string path, DurableFiles files)
    {
        _file = files.OpenAppend(path);
        try
        {
            foreach ((ReadOnlyMemory<byte> line, long end) in _file.ReadLines())
            {
                _lines.Add((JsonlReader.Parse(line, path, _lines.Count + 1, ReadPosition), end));
            }
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public void OnTrainingStep(int round, LoopStage stage, TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        Append(new Position(round, Rank(Name(stage)), progress.Step), writer =>
        {
            writer.WriteNumber("round", round);
            writer.WriteString("stage", Name(stage));
            writer.WriteNumber("step", progress.Step);
            writer.WriteNumber("step_count", progress.StepCount);
            foreach ((string name, double value) in progress.Metrics.OrderBy(metric => metric.Key, StringComparer.Ordinal))
            {
                Write(writer, name, value);
            }
        });
    }

    public void OnRoundRestored(RoundReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (!_lines.Exists(line => line.Position == RoundPosition(report.Round)))
        {
            OnRoundCompleted(report);
        }
    }

    public void OnRoundCompleted(RoundReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        Append(RoundPosition(report.Round), writer =>
        {
            writer.WriteNumber("round", report.Round);
            writer.WriteString("stage", RoundStage);
            foreach ((string name, double value) in RoundMetrics.Of(report))
            {
                Write(writer, name, value);
            }
        });
        _file.Sync();
    }

    public void Dispose() => _file.Dispose();

    private static Position RoundPosition(int round) => new(round, Rank(RoundStage), 0);

    private static string Name(LoopStage stage) => stage switch
    {
        LoopStage.WarmUp => "warm_up",
        LoopStage.OfflineTraining => "offline",
        _ => "training",
    };

    private static int Rank(string stage) => stage switch
    {
        "warm_up" => 0,
        "offline" => 1,
        "training" => 2,
        RoundStage => 3,
        _ => -1,
    };

    private static Position ReadPosition(JsonlObject line)
    {
        string stage = line.GetString("stage");
        return Rank(stage) is >= 0 and int rank
            ? new Position((int)line.FindCount("round"), rank, (int)line.FindCount("step"))
            : throw line.Error($"The key \"stage\" holds \"{stage}\", which no run writes.");
    }

    // JSON has no NaN; null is what plotting tools take for a gap.
    private static void Write(Utf8JsonWriter writer, string name, double value)
    {
        if (double.IsFinite(value))
        {
            writer.WriteNumber(name, value);
        }
        else
        {
            writer.WriteNull(name);
        }
    }

    private void Append(Position position, Action<Utf8JsonWriter> writeMembers)
    {
        int kept = _lines.Count;
        while (kept > 0 && _lines[kept - 1].Position.CompareTo(position) >= 0)
        {
            kept--;
        }

        if (kept < _lines.Count)
        {
            _lines.RemoveRange(kept, _lines.Count - kept);
            _file.Truncate(kept == 0 ? 0 : _lines[^1].End);
        }

        _buffer.ResetWrittenCount();
        JsonlWriter.WriteLine(_buffer, writeMembers, static (writer, write) =>
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        });
        _file.Append(_buffer.WrittenMemory);
        _lines.Add((position, (kept == 0 ? 0 : _lines[^1].End) + _buffer.WrittenCount));
    }

    private readonly record struct Position(int Round, int Rank, int Step) : IComparable<Position>
    {
        public int CompareTo(Position other) => (Round, Rank, Step).CompareTo((other.Round, other.Rank, other.Step));
    }
}
