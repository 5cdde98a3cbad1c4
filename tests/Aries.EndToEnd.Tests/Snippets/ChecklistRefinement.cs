namespace Aries.EndToEnd.Tests.Snippets;

#region own-strategy
/// <summary>Refines once for each point of a checklist, and then stops.</summary>
public sealed class ChecklistRefinement(IReadOnlyList<string> checklist) : IRefinementStrategy
{
    public RefinementStep? NextStep(RefinementTrace trace)
    {
        int done = trace.Steps.Count;
        if (done == 0)
        {
            return new RefinementStep(trace.Prompt); // the direct answer
        }

        if (done > checklist.Count)
        {
            return null; // every point was asked for
        }

        string draft = trace.Steps[^1].Text;
        return new RefinementStep(trace.Prompt.WithQuestion(
            $"Question: {trace.Prompt.Question}\nDraft: {draft}\nRewrite the draft so that it {checklist[done - 1]}. Give only the new text."));
    }
}
#endregion
