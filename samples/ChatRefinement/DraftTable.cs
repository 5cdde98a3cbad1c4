using System.Diagnostics;
using System.Globalization;
using System.Text;
using Aries;
using Spectre.Console;

namespace ChatRefinement;

/// <summary>The drafts of one answer, each with its tokens and time, as they are written.</summary>
internal sealed class DraftTable
{
    private readonly StringBuilder _text = new();
    private long _start;

    public DraftTable()
    {
        Table.AddColumn(new TableColumn("turn").RightAligned()).AddColumn("draft").AddColumn(new TableColumn("tokens").RightAligned()).AddColumn(new TableColumn("seconds").RightAligned());
    }

    public Table Table { get; } = new Table().Border(TableBorder.Rounded).Expand();

    /// <summary>Gets each whole draft as one line, for an output that is no terminal.</summary>
    public List<string> Lines { get; } = [];

    /// <summary>Gets the refinement when it has ended.</summary>
    public RefinementResult? Result { get; private set; }

    public void Apply(RefinementUpdate update)
    {
        switch (update)
        {
            case StepStartedUpdate started:
                _text.Clear();
                _start = Stopwatch.GetTimestamp();
                Table.AddRow(new Text($"{started.StepIndex + 1}"), new Text(""), new Text(""), new Text(""));
                break;
            case StepTextUpdate text:
                Table.UpdateCell(text.StepIndex, 1, new Text(_text.Append(text.Text).ToString()));
                break;
            case StepCompletedUpdate completed:
                string tokens = $"{completed.Step.Usage.ResponseTokens}";
                string seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds.ToString("F2", CultureInfo.InvariantCulture);
                Table.UpdateCell(completed.StepIndex, 2, tokens).UpdateCell(completed.StepIndex, 3, seconds);
                Lines.Add($"turn {completed.StepIndex + 1} ({tokens} tokens, {seconds} s): {completed.Step.Text.ReplaceLineEndings(" ")}");
                break;
            case RefinementCompletedUpdate ended:
                Result = ended.Result;
                break;
        }
    }
}
