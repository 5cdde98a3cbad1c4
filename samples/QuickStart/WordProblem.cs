namespace QuickStart;

/// <summary>A little story of gains and losses, with its running totals.</summary>
/// <param name="Question">What is asked: "Ivy has 57 coins, sells 9, drops 2, loses 6 and drops 9. How many?"</param>
/// <param name="Totals">The total after each event; the last one is the answer.</param>
/// <remarks>
/// The answer is written first and worked out after it: " 31: 48, 46, 40, 31". So a direct answer has to guess the number
/// before the totals stand on paper, while a refinement finds the draft's totals in its prompt and only has to read them well.
/// Nothing of the answer is given away: the drafts are the model's own.
/// </remarks>
internal sealed record WordProblem(string Question, IReadOnlyList<int> Totals)
{
    private static readonly string[] Names = ["Tom", "Ana", "Ben", "Mia", "Sam", "Eva", "Max", "Zoe", "Leo", "Ivy"];
    private static readonly string[] Items = ["apples", "books", "coins", "cards", "eggs", "pens", "shells", "stamps"];
    private static readonly string[] Gains = ["buys", "finds", "gets", "wins"];
    private static readonly string[] OtherWords = ["has", "and", "How", "many", "Better"];
    private static readonly string[] Losses = ["sells", "loses", "gives away", "drops"];

    /// <summary>Gets the words of all questions: what the tokenizer has a token for each of.</summary>
    public static IEnumerable<string> Vocabulary =>
        [.. Names, .. OtherWords, .. Items, .. Gains, .. Losses.SelectMany(verb => verb.Split(' '))];

    /// <summary>Gets the right answer with its workings, as a model writes it.</summary>
    public string Answer => $" {Totals[^1]}: {string.Join(", ", Totals)}";

    /// <summary>Makes distinct problems, the same ones for the same seed.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="count">How many.</param>
    /// <param name="excluded">Questions that must not come up; those made are added.</param>
    /// <param name="eventCount">Events a problem.</param>
    public static List<WordProblem> Generate(int seed, int count, ISet<string> excluded, int eventCount = 4)
    {
        Random random = new(seed);
        List<WordProblem> problems = new(count);
        while (problems.Count < count)
        {
            WordProblem problem = Generate(random, eventCount);
            if (excluded.Add(problem.Question))
            {
                problems.Add(problem);
            }
        }

        return problems;
    }

    private static WordProblem Generate(Random random, int eventCount)
    {
        int total = random.Next(10, 80);
        string story = $"{Pick(random, Names)} has {total} {Pick(random, Items)}";
        int[] totals = new int[eventCount];
        for (int index = 0; index < eventCount; index++)
        {
            int change;
            do
            {
                change = random.Next(2, 10) * (random.Next(2) == 0 ? 1 : -1);
            }
            while (total + change is < 10 or > 99); // every total has two digits

            total += change;
            totals[index] = total;
            string separator = index == eventCount - 1 ? " and" : ",";
            story += $"{separator} {Pick(random, change > 0 ? Gains : Losses)} {Math.Abs(change)}";
        }

        return new WordProblem($"{story}. How many?", totals);
    }

    private static string Pick(Random random, string[] words) => words[random.Next(words.Length)];
}
