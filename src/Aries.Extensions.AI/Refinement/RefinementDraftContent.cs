using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>A part of a draft, or of a remark on one, in a stream that was asked for them. It is no part of the answer, and <see cref="ChatResponseUpdate.Text"/> does not hold it.</summary>
/// <threadsafety>Not synchronised.</threadsafety>
public sealed class RefinementDraftContent : AIContent
{
    /// <summary>Creates the content.</summary>
    /// <param name="stepIndex">Which of the trace's <see cref="RefinementTrace.Steps"/> it belongs to; zero-based.</param>
    /// <param name="kind">Whether it is an answer or a remark on one.</param>
    /// <param name="text">The text since the last part.</param>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    public RefinementDraftContent(int stepIndex, RefinementStepKind kind, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        (StepIndex, Kind, Text) = (stepIndex, kind, text);
    }

    /// <summary>Gets which of the trace's <see cref="RefinementTrace.Steps"/> it belongs to; zero-based.</summary>
    public int StepIndex { get; }

    /// <summary>Gets whether it is an answer or a remark on one.</summary>
    public RefinementStepKind Kind { get; }

    /// <summary>Gets the text since the last part. The parts of a step joined are its text.</summary>
    public string Text { get; }

    /// <summary>Returns the text.</summary>
    public override string ToString() => Text;
}
